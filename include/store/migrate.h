/* Brings a database to the schema this program knows: migrations/<family>/NNN_name.sql in order,
 * each in a transaction with its row in the table `migrations` (path and checksum). For store/db.c;
 * tests pass lists of their own. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/db.h"

struct migration {
    const char *path; /* "migrations/orders/001_orders.sql" */
    struct str sql;   /* a NUL follows it */
};

/* The embedded migrations of a family, by number; the caller frees *list. */
int migrations_of(const char *family, struct migration **list, size_t *count,
                  struct error *err) WARN_UNUSED;

/* Applies what is missing. ERR_CONFLICT: the database has a migration this program does not know,
 * an applied one was changed since, or the file holds tables of another program. */
int migrate_apply(struct db *db, const struct migration *list, size_t count,
                  struct error *err) WARN_UNUSED;
/* The same checks without changing anything; ERR_CONFLICT also when some are missing. */
int migrate_check(struct db *db, const struct migration *list, size_t count,
                  struct error *err) WARN_UNUSED;

#endif
