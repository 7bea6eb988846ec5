/* How the modules of this floor talk to SQLite; no other floor includes this. Statements are named
 * constants, prepared once per connection and kept by the address of the text. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/buf.h"
#include "base/vec.h"
#include "store/lines.h"

#include <sqlite3.h>

/* The one row of table `totals`, kept in memory from the first use in a transaction until its
 * commit. `first_ms` and `last_ms` bound the orders that count, exactly so where the flag says. */
struct totals {
    int64_t orders, cancelled, lines, changes, events, first_ms, last_ms;
    bool first_exact, last_exact;
    bool loaded, dirty; /* not stored */
};

#define SQL_CACHE 128 /* a power of two, twice the number of statements there are */

struct db {
    sqlite3 *handle;
    char *path;
    const char *name; /* the file's name, for texts */
    bool writes;
    bool begun;          /* between db_begin and db_commit or db_rollback */
    enum err lost;       /* SQLite undid the transaction by itself, because of this */
    char lost_text[128]; /* what it said */
    int64_t page_bytes;
    uint64_t wal_frames; /* in the WAL now */
    uint64_t wal_seen;   /* in the WAL at the last checkpoint that could not empty it */
    struct totals totals, saved_totals; /* saved: at the savepoint */
    struct order_change change;         /* orders_last_change */
    uint64_t event;                     /* events_newest */
    struct line_vec sorted;             /* scratch of orders_put */
    struct buf json;                    /* scratch of orders_put */
    struct sql_cached {
        const char *sql;
        sqlite3_stmt *statement;
    } cache[SQL_CACHE];
};

/* The cached statement, reset, nothing bound. Fails when the transaction was lost: nothing may be
 * written outside of one by mistake. A statement in use (a scan's visitor asks the same question)
 * is a bug. */
int sql_prepare(struct db *db, const char *sql, sqlite3_stmt **out, struct error *err) WARN_UNUSED;
/* 1: a row; 0: the end; negative: an error. The statement is reset on the last two. */
int sql_row(struct db *db, sqlite3_stmt *statement, struct error *err) WARN_UNUSED;
/* Runs a statement that gives no rows. */
int sql_run(struct db *db, sqlite3_stmt *statement, struct error *err) WARN_UNUSED;
/* Prepares and runs one without parameters. */
int sql_do(struct db *db, const char *sql, struct error *err) WARN_UNUSED;
/* The connection's last error as ours, always negative. */
int sql_fail(struct db *db, struct error *err);
/* The open transaction can only be rolled back from here on. */
void sql_lose(struct db *db, int code);
/* 0 unless the transaction is lost. */
int sql_usable(const struct db *db, struct error *err) WARN_UNUSED;
/* One integer of a question without parameters; 0 when there is no row. */
int sql_integer(struct db *db, const char *sql, int64_t *out, struct error *err) WARN_UNUSED;

/* The bytes are borrowed until the statement is reset. */
void sql_bind_str(sqlite3_stmt *statement, int index, struct str s);
void sql_bind_str_or_null(sqlite3_stmt *statement, int index, struct str s);  /* len 0: null */
void sql_bind_i64_or_null(sqlite3_stmt *statement, int index, int64_t value); /* INT64_MIN: null */
struct str sql_column_str(sqlite3_stmt *statement,
                          int column);                       /* until the next step; null: none */
int64_t sql_column_i64(sqlite3_stmt *statement, int column); /* null: INT64_MIN */

int totals_load(struct db *db, struct error *err) WARN_UNUSED;
/* Called by db_commit. */
int totals_store(struct db *db, struct error *err) WARN_UNUSED;
void totals_add_order(struct totals *t, int64_t time_ms, uint32_t lines);
void totals_remove_order(struct totals *t, int64_t time_ms, uint32_t lines);

/* Deletes the orders that `select` (order_key, time_ms, cancelled_ms, lines; bound) gives. */
int orders_delete_selected(struct db *db, sqlite3_stmt *select, uint32_t *deleted,
                           struct error *err) WARN_UNUSED;

#endif
