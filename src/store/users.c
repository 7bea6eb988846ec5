/* Ids of users, and the two questions a person may ask: what is stored, and forget it. Those scan
 * orders and events (see migrations/orders/001_orders.sql for why there is no index): about 50 ms a
 * million orders. */
#include "store/users.h"

#include "store/sql.h"

#include <assert.h>

static const char FIND[] = "SELECT user_key FROM users WHERE user_id = ?1";
static const char ADD[] = "INSERT INTO users (user_id) VALUES (?1)";
static const char SCAN_AFTER[] =
    "SELECT user_key, user_id FROM users WHERE user_key > ?1 ORDER BY user_key LIMIT ?2";
static const char ORDERS[] =
    "SELECT count(*), min(time_ms), max(time_ms) FROM orders WHERE user_key = ?1";
static const char EVENTS[] =
    "SELECT count(*), min(time_ms), max(time_ms) FROM events WHERE user_key = ?1";
static const char SELECT_ORDERS[] =
    "SELECT order_key, time_ms, cancelled_ms, lines FROM orders WHERE user_key = ?1";
static const char UNLINK_ORDERS[] = "UPDATE orders SET user_key = 0 WHERE user_key = ?1";
static const char DELETE_EVENTS[] = "DELETE FROM events WHERE user_key = ?1";
static const char DELETE_USER[] = "DELETE FROM users WHERE user_key = ?1";

int users_key(struct db *db, struct str user_id, bool add, uint64_t *key, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, FIND, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, user_id);
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    *key = rc ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (*key || !add)
        return 0;
    rc = sql_prepare(db, ADD, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, user_id);
    rc = sql_run(db, s, err);
    if (rc == 0)
        *key = (uint64_t)sqlite3_last_insert_rowid(db->handle);
    return rc;
}

int users_scan_after(struct db *db, uint64_t *after, uint32_t limit, user_visitor visit,
                     void *context, bool *ended, struct error *err)
{
    sqlite3_stmt *s;
    uint32_t rows = 0;
    uint64_t last = *after;
    int rc = sql_prepare(db, SCAN_AFTER, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)*after);
    sqlite3_bind_int64(s, 2, limit);
    while ((rc = sql_row(db, s, err)) == 1) {
        uint64_t key = (uint64_t)sqlite3_column_int64(s, 0);
        rc = visit(context, key, sql_column_str(s, 1), err);
        if (rc)
            break;
        last = key;
        rows++;
    }
    sqlite3_reset(s);
    if (rc)
        return rc;
    *after = last;
    *ended = rows < limit;
    return 0;
}

/* Runs a statement whose only parameter is the user. */
static int run_for(struct db *db, const char *sql, uint64_t key, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, sql, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)key);
    return sql_run(db, s, err);
}

struct range {
    uint64_t count;
    int64_t first_ms, last_ms; /* 0 when there are none */
};

static int range_of(struct db *db, const char *sql, uint64_t key, struct range *out,
                    struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, sql, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)key);
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    *out = (struct range){(uint64_t)sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                          sqlite3_column_int64(s, 2)};
    sqlite3_reset(s);
    return 0;
}

int users_stats(struct db *db, uint64_t key, struct user_stats *out, struct error *err)
{
    struct range orders, events;
    int rc = range_of(db, ORDERS, key, &orders, err);
    if (rc == 0)
        rc = range_of(db, EVENTS, key, &events, err);
    if (rc)
        return rc;
    bool events_first = orders.count == 0 || (events.count && events.first_ms < orders.first_ms);
    bool events_last = orders.count == 0 || (events.count && events.last_ms > orders.last_ms);
    *out = (struct user_stats){
        .orders = orders.count,
        .events = events.count,
        .first_ms = events_first ? events.first_ms : orders.first_ms,
        .last_ms = events_last ? events.last_ms : orders.last_ms,
    };
    return 0;
}

static int erase_orders(struct db *db, uint64_t key, bool delete_orders, struct error *err)
{
    if (!delete_orders)
        return run_for(db, UNLINK_ORDERS, key, err);
    sqlite3_stmt *s;
    uint32_t deleted;
    int rc = sql_prepare(db, SELECT_ORDERS, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)key);
    return orders_delete_selected(db, s, &deleted, err);
}

int users_erase(struct db *db, uint64_t key, bool delete_orders, struct user_stats *erased,
                struct error *err)
{
    assert(db->begun && key != 0);
    int rc = users_stats(db, key, erased, err);
    if (rc == 0)
        rc = totals_load(db, err);
    if (rc == 0 && erased->orders > 0)
        rc = erase_orders(db, key, delete_orders, err);
    if (rc == 0 && erased->events > 0) {
        rc = run_for(db, DELETE_EVENTS, key, err);
        db->totals.events -= (int64_t)erased->events;
        db->totals.dirty = true;
    }
    return rc ? rc : run_for(db, DELETE_USER, key, err);
}
