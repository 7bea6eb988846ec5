/* The history of a database is the table `migrations`; the program's is the embedded list. The
 * database may lag behind (the rest is applied) but not run ahead or differ: a file changed after
 * it was applied would make two databases with one history, so its XXH3 is compared. */
#include "store/migrate.h"

#include "base/assets.h"
#include "base/clock.h"
#include "store/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char IS_EMPTY[] = "SELECT count(*) FROM sqlite_schema";
static const char HAS_HISTORY[] =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'";
static const char CREATE[] = "CREATE TABLE IF NOT EXISTS migrations ("
                             "number INTEGER PRIMARY KEY, path TEXT NOT NULL, "
                             "checksum TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT";
static const char HISTORY[] = "SELECT path, checksum FROM migrations ORDER BY number";
static const char RECORD[] = "INSERT INTO migrations VALUES (?1, ?2, ?3, ?4)";

int migrations_of(const char *family, struct migration **list, size_t *count, struct error *err)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "migrations/%s/", family);
    VEC(struct migration) found = {0};
    for (const struct asset *a = NULL; (a = assets_next(prefix, a));) {
        struct migration m = {a->path, a->content};
        if (VEC_PUSH(&found, m))
            continue;
        VEC_FREE(&found);
        return error_set(err, ERR_NOMEM, "migrations of %s: no memory", family);
    }
    *list = found.at;
    *count = found.count;
    return 0;
}

static void checksum_of(const struct migration *m, char out[17])
{
    snprintf(out, 17, "%016llx", (unsigned long long)XXH3_64bits(m->sql.ptr, m->sql.len));
}

/* How many of the list are applied, 0 when the database is new. */
static int applied_count(struct db *db, const struct migration *list, size_t count, size_t *applied,
                         struct error *err)
{
    int64_t tables, history;
    *applied = 0;
    int rc = sql_integer(db, IS_EMPTY, &tables, err);
    if (rc == 0)
        rc = sql_integer(db, HAS_HISTORY, &history, err);
    if (rc || tables == 0)
        return rc;
    if (history == 0)
        return error_set(err, ERR_CONFLICT, "%s: not a database of basketd", db->path);
    sqlite3_stmt *s;
    rc = sql_prepare(db, HISTORY, &s, err);
    if (rc)
        return rc;
    while ((rc = sql_row(db, s, err)) == 1) {
        struct str path = sql_column_str(s, 0), checksum = sql_column_str(s, 1);
        char expected[17];
        if (*applied == count)
            rc = error_set(err, ERR_CONFLICT,
                           "%s: its schema is newer than this basketd: it has %.*s; use the newer "
                           "basketd, or restore a backup made before it",
                           db->path, STR_ARG(path));
        else if (!str_eq(path, str_of(list[*applied].path)))
            rc = error_set(err, ERR_CONFLICT, "%s: has %.*s where this basketd has %s", db->path,
                           STR_ARG(path), list[*applied].path);
        else if (checksum_of(&list[*applied], expected), !str_eq(checksum, str_of(expected)))
            rc = error_set(err, ERR_CONFLICT, "%s: %.*s was changed after it was applied", db->path,
                           STR_ARG(path));
        if (rc < 0)
            break;
        ++*applied;
    }
    sqlite3_reset(s);
    return rc;
}

static int record(struct db *db, const struct migration *m, size_t number, struct error *err)
{
    char checksum[17];
    sqlite3_stmt *s;
    int rc = sql_prepare(db, RECORD, &s, err);
    if (rc)
        return rc;
    checksum_of(m, checksum);
    sqlite3_bind_int64(s, 1, (int64_t)number);
    sql_bind_str(s, 2, str_of(m->path));
    sql_bind_str(s, 3, str_of(checksum));
    sqlite3_bind_int64(s, 4, clock_wall_ms());
    return sql_run(db, s, err);
}

static int apply_one(struct db *db, const struct migration *m, size_t number, struct error *err)
{
    int rc = db_begin(db, err);
    if (rc)
        return rc;
    rc = sql_do(db, CREATE, err);
    if (rc == 0 && sqlite3_exec(db->handle, m->sql.ptr, NULL, NULL, NULL))
        rc = sql_fail(db, err);
    if (rc == 0)
        rc = record(db, m, number, err);
    if (rc == 0)
        rc = db_commit(db, err);
    else
        db_rollback(db);
    if (rc)
        error_wrap(err, "%s", m->path);
    return rc;
}

int migrate_apply(struct db *db, const struct migration *list, size_t count, struct error *err)
{
    size_t applied;
    int rc = applied_count(db, list, count, &applied, err);
    for (size_t i = applied; i < count && rc == 0; i++)
        rc = apply_one(db, &list[i], i + 1, err);
    return rc;
}

int migrate_check(struct db *db, const struct migration *list, size_t count, struct error *err)
{
    size_t applied;
    int rc = applied_count(db, list, count, &applied, err);
    if (rc == 0 && applied < count)
        rc = error_set(err, ERR_CONFLICT,
                       "%s: its schema is older than this basketd; `basketd serve` brings it up "
                       "to date",
                       db->path);
    return rc;
}
