/* One insert per order: the index of the order ids is asked by the insert itself, so a new order
 * costs what a bare INSERT does, and only a known id costs a second statement. Lines are stored in
 * one canonical form, so "the same order" is a comparison of bytes. A cancelled order keeps its row
 * as a tombstone. */
#include "store/orders.h"

#include "base/mem.h"
#include "store/sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char INSERT[] =
    "INSERT INTO orders (user_key, time_ms, cancelled_ms, order_id, lines) "
    "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (order_id) DO NOTHING";
static const char FIND[] = "SELECT order_key, user_key, time_ms, cancelled_ms, lines FROM orders "
                           "WHERE order_id = ?1";
static const char REPLACE[] =
    "UPDATE orders SET user_key = ?2, time_ms = ?3, lines = ?4 WHERE order_key = ?1";
static const char CANCEL[] = "UPDATE orders SET cancelled_ms = ?2 WHERE order_key = ?1";
static const char DELETE[] = "DELETE FROM orders WHERE order_key = ?1";
#define ROW "SELECT user_key, time_ms, order_id, lines, order_key FROM orders "
static const char SCAN[] = ROW "WHERE cancelled_ms IS NULL ORDER BY order_key";
static const char SCAN_AFTER[] = ROW "WHERE order_key > ?1 AND order_key <= ?2 "
                                     "AND cancelled_ms IS NULL ORDER BY order_key";
static const char LAST_OF[] = "SELECT max(order_key), count(*) FROM (SELECT order_key FROM orders "
                              "WHERE order_key > ?1 ORDER BY order_key LIMIT ?2)";
static const char LAST_KEY[] = "SELECT ifnull(max(order_key), 0) FROM orders";
static const char OF_USER[] = ROW "WHERE user_key = ?1 AND cancelled_ms IS NULL "
                                  "ORDER BY time_ms DESC, order_key DESC LIMIT ?2";
static const char FIRST[] = "SELECT min(time_ms) FROM orders WHERE cancelled_ms IS NULL";
static const char LAST[] = "SELECT max(time_ms) FROM orders WHERE cancelled_ms IS NULL";
static const char OLD[] = "SELECT order_key, time_ms, cancelled_ms, lines FROM orders "
                          "WHERE time_ms < ?1 LIMIT ?2";
static const char DELETE_OLD_EVENTS[] =
    "DELETE FROM events WHERE event_key IN "
    "(SELECT event_key FROM events WHERE time_ms < ?1 LIMIT ?2)";

#define SCRATCH_KEPT   (1u << 20) /* a larger scratch was for one giant order */
#define SCAN_STEP      1024
#define INSERTION_SORT 32

static int out_of_memory(struct db *db, struct error *err)
{
    return error_set(err, ERR_NOMEM, "%s: out of memory for an order", db->name);
}

static int by_item(const void *a, const void *b)
{
    uint32_t x = ((const struct order_line *)a)->item, y = ((const struct order_line *)b)->item;
    return (x > y) - (x < y);
}

static void sort_lines(struct order_line *lines, uint32_t count)
{
    if (count > INSERTION_SORT) {
        qsort(lines, count, sizeof *lines, by_item);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct order_line line = lines[i];
        uint32_t j = i;
        for (; j > 0 && lines[j - 1].item > line.item; j--)
            lines[j] = lines[j - 1];
        lines[j] = line;
    }
}

/* The row's lines in canonical form, in db->json. */
static bool format_sorted(struct db *db, const struct order_row *row)
{
    bool ascending = true;
    for (uint32_t i = 1; i < row->line_count; i++)
        ascending = ascending && row->lines[i - 1].item < row->lines[i].item;
    const struct order_line *lines = row->lines;
    if (!ascending) {
        if (!VEC_RESERVE(&db->sorted, row->line_count))
            return false;
        memcpy(db->sorted.at, lines, row->line_count * sizeof *lines);
        sort_lines(db->sorted.at, row->line_count);
        lines = db->sorted.at;
    }
    buf_clear(&db->json);
    lines_format(&db->json, lines, row->line_count);
    return !db->json.failed;
}

static void drop_large_scratch(struct db *db)
{
    if (db->json.cap > SCRATCH_KEPT)
        buf_deinit(&db->json);
    if (db->sorted.cap * sizeof *db->sorted.at > SCRATCH_KEPT)
        VEC_FREE(&db->sorted);
}

/* *added false: the id was there already. */
static int insert(struct db *db, const struct order_row *row, int64_t cancelled_ms, bool *added,
                  struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, INSERT, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)row->user);
    int64_t time_ms = row->time_ms == ORDER_NO_TIME ? row->arrival_ms : row->time_ms;
    sqlite3_bind_int64(s, 2, time_ms);
    sql_bind_i64_or_null(s, 3, cancelled_ms);
    sql_bind_str(s, 4, row->order_id);
    sql_bind_str(s, 5, (struct str){db->json.ptr, db->json.len});
    rc = sql_run(db, s, err);
    *added = rc == 0 && sqlite3_changes(db->handle) == 1;
    if (*added)
        db->change =
            (struct order_change){(uint64_t)sqlite3_last_insert_rowid(db->handle), 0, time_ms};
    return rc;
}

struct stored {
    int64_t key, user, time_ms;
    bool cancelled, same_lines;
    uint32_t line_count;
};

/* The stored order of an id which is there. */
static int find(struct db *db, struct str order_id, struct stored *out, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, FIND, &s, err);
    if (rc)
        return rc;
    sql_bind_str(s, 1, order_id);
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return error_set(err, ERR_CORRUPT, "%s: the index orders_id does not fit its table",
                         db->name);
    struct str lines = sql_column_str(s, 4);
    *out = (struct stored){
        .key = sqlite3_column_int64(s, 0),
        .user = sqlite3_column_int64(s, 1),
        .time_ms = sqlite3_column_int64(s, 2),
        .cancelled = sqlite3_column_type(s, 3) != SQLITE_NULL,
        .same_lines = str_eq(lines, (struct str){db->json.ptr, db->json.len}),
        .line_count = lines_count(lines),
    };
    sqlite3_reset(s);
    db->change = (struct order_change){(uint64_t)out->key, (uint64_t)out->user, out->time_ms};
    return 0;
}

static int replace(struct db *db, const struct order_row *row, const struct stored *old,
                   struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, REPLACE, &s, err);
    if (rc)
        return rc;
    int64_t time_ms = row->time_ms == ORDER_NO_TIME ? old->time_ms : row->time_ms;
    db->change.time_ms = time_ms;
    sqlite3_bind_int64(s, 1, old->key);
    sqlite3_bind_int64(s, 2, (int64_t)row->user);
    sqlite3_bind_int64(s, 3, time_ms);
    sql_bind_str(s, 4, (struct str){db->json.ptr, db->json.len});
    rc = sql_run(db, s, err);
    if (rc)
        return rc;
    totals_remove_order(&db->totals, old->time_ms, old->line_count);
    totals_add_order(&db->totals, time_ms, row->line_count);
    db->totals.changes++;
    return 0;
}

static int put_known(struct db *db, const struct order_row *row, enum put_outcome *out,
                     struct error *err)
{
    struct stored old;
    int rc = find(db, row->order_id, &old, err);
    if (rc)
        return rc;
    bool same_time = row->time_ms == ORDER_NO_TIME || row->time_ms == old.time_ms;
    if (old.cancelled) {
        *out = PUT_CANCELLED;
    } else if (same_time && old.same_lines && old.user == (int64_t)row->user) {
        *out = PUT_DUPLICATE;
    } else {
        *out = PUT_REPLACED;
        rc = replace(db, row, &old, err);
    }
    return rc;
}

int orders_put(struct db *db, const struct order_row *row, enum put_outcome *out, struct error *err)
{
    assert(db->begun);
    int rc = totals_load(db, err);
    if (rc)
        return rc;
    bool added = false;
    if (!format_sorted(db, row))
        rc = out_of_memory(db, err);
    else
        rc = insert(db, row, INT64_MIN, &added, err);
    if (rc == 0 && !added) {
        rc = put_known(db, row, out, err);
    } else if (rc == 0) {
        int64_t time_ms = row->time_ms == ORDER_NO_TIME ? row->arrival_ms : row->time_ms;
        totals_add_order(&db->totals, time_ms, row->line_count);
        db->totals.changes++;
        *out = PUT_ACCEPTED;
    }
    drop_large_scratch(db);
    return rc;
}

static int cancel_known(struct db *db, struct str order_id, int64_t now_ms, enum put_outcome *out,
                        struct error *err)
{
    struct stored old;
    int rc = find(db, order_id, &old, err);
    if (rc)
        return rc;
    *out = old.cancelled ? PUT_DUPLICATE : PUT_ACCEPTED;
    if (old.cancelled)
        return 0;
    sqlite3_stmt *s;
    rc = sql_prepare(db, CANCEL, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, old.key);
    sqlite3_bind_int64(s, 2, now_ms);
    rc = sql_run(db, s, err);
    if (rc)
        return rc;
    totals_remove_order(&db->totals, old.time_ms, old.line_count);
    db->totals.cancelled++;
    db->totals.changes++;
    return 0;
}

int orders_cancel(struct db *db, struct str order_id, int64_t now_ms, enum put_outcome *out,
                  struct error *err)
{
    assert(db->begun);
    struct order_row tombstone = {.order_id = order_id, .time_ms = now_ms};
    bool added = false;
    int rc = totals_load(db, err);
    if (rc)
        return rc;
    if (!format_sorted(db, &tombstone))
        return out_of_memory(db, err);
    rc = insert(db, &tombstone, now_ms, &added, err);
    if (rc)
        return rc;
    if (!added)
        return cancel_known(db, order_id, now_ms, out, err);
    db->totals.cancelled++;
    db->totals.changes++;
    db->totals.dirty = true;
    *out = PUT_ACCEPTED;
    return 0;
}

/* Reads the row under a SCAN or OF_USER. ERR_CORRUPT: its lines are damaged. */
static int read_order(sqlite3_stmt *s, struct line_vec *lines, struct order_row *row)
{
    int rc = lines_parse(sql_column_str(s, 3), lines);
    if (rc)
        return rc;
    *row = (struct order_row){
        .key = (uint64_t)sqlite3_column_int64(s, 4),
        .order_id = sql_column_str(s, 2),
        .user = (uint64_t)sqlite3_column_int64(s, 0),
        .time_ms = sqlite3_column_int64(s, 1),
        .arrival_ms = ORDER_NO_TIME,
        .lines = lines->at,
        .line_count = (uint32_t)lines->count,
    };
    return 0;
}

/* Visits every row of a bound statement. */
static int visit_orders(struct db *db, sqlite3_stmt *s, order_visitor visit, void *context,
                        struct progress *progress, uint64_t *damaged, struct error *err)
{
    struct line_vec lines = {0};
    struct order_row row;
    uint64_t rows = 0;
    int rc;
    while ((rc = sql_row(db, s, err)) == 1) {
        if (++rows % SCAN_STEP == 0 && progress_step(progress, SCAN_STEP)) {
            rc = error_set(err, ERR_CANCELLED, "reading orders: cancelled");
            break;
        }
        rc = read_order(s, &lines, &row);
        if (rc == ERR_NOMEM) {
            rc = out_of_memory(db, err);
            break;
        }
        if (rc) {
            ++*damaged;
            continue;
        }
        rc = visit(context, &row, err);
        if (rc)
            break;
    }
    sqlite3_reset(s);
    free(lines.at);
    if (rc == 0 && rows % SCAN_STEP && progress_step(progress, rows % SCAN_STEP))
        rc = error_set(err, ERR_CANCELLED, "reading orders: cancelled");
    return rc;
}

int orders_scan(struct db *db, order_visitor visit, void *context, struct progress *progress,
                uint64_t *damaged, struct error *err)
{
    sqlite3_stmt *s;
    *damaged = 0;
    int rc = totals_load(db, err);
    if (rc == 0)
        rc = sql_prepare(db, SCAN, &s, err);
    if (rc)
        return rc;
    progress_begin(progress, "reading orders", (uint64_t)db->totals.orders);
    return visit_orders(db, s, visit, context, progress, damaged, err);
}

/* The key of the last of `limit` orders after *after; *after as it was when there is none. */
static int last_of(struct db *db, uint64_t after, uint32_t limit, uint64_t *last, bool *ended,
                   struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, LAST_OF, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)after);
    sqlite3_bind_int64(s, 2, limit);
    rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    *last = sqlite3_column_int64(s, 1) ? (uint64_t)sqlite3_column_int64(s, 0) : after;
    *ended = sqlite3_column_int64(s, 1) < limit;
    sqlite3_reset(s);
    return 0;
}

int orders_scan_after(struct db *db, uint64_t *after, uint32_t limit, order_visitor visit,
                      void *context, bool *ended, struct error *err)
{
    sqlite3_stmt *s;
    uint64_t last, damaged = 0;
    int rc = last_of(db, *after, limit, &last, ended, err);
    if (rc == 0)
        rc = sql_prepare(db, SCAN_AFTER, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)*after);
    sqlite3_bind_int64(s, 2, (int64_t)last);
    rc = visit_orders(db, s, visit, context, NULL, &damaged, err);
    if (rc == 0)
        *after = last;
    return rc;
}

int orders_last_key(struct db *db, uint64_t *key, struct error *err)
{
    int64_t last = 0;
    int rc = sql_integer(db, LAST_KEY, &last, err);
    if (rc == 0)
        *key = (uint64_t)last;
    return rc;
}

struct order_change orders_last_change(const struct db *db)
{
    return db->change;
}

int orders_of_user(struct db *db, uint64_t user, uint32_t limit, order_visitor visit, void *context,
                   struct error *err)
{
    sqlite3_stmt *s;
    uint64_t damaged = 0;
    int rc = sql_prepare(db, OF_USER, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)user);
    sqlite3_bind_int64(s, 2, limit);
    return visit_orders(db, s, visit, context, NULL, &damaged, err);
}

/* Makes the bounds exact by a scan. */
static int settle_times(struct db *db, struct totals *t, struct error *err)
{
    int rc = 0;
    if (!t->first_exact)
        rc = sql_integer(db, FIRST, &t->first_ms, err);
    if (rc == 0 && !t->last_exact)
        rc = sql_integer(db, LAST, &t->last_ms, err);
    if (rc)
        return rc;
    t->dirty = t->dirty || !t->first_exact || !t->last_exact;
    t->first_exact = t->last_exact = true;
    return 0;
}

int orders_stats(struct db *db, struct order_stats *out, struct error *err)
{
    int rc = totals_load(db, err);
    if (rc)
        return rc;
    struct totals t = db->totals;
    rc = settle_times(db, &t, err);
    if (rc)
        return rc;
    *out = (struct order_stats){
        .orders = (uint64_t)t.orders,
        .cancelled = (uint64_t)t.cancelled,
        .lines = (uint64_t)t.lines,
        .first_ms = t.first_ms,
        .last_ms = t.last_ms,
        .changes = (uint64_t)t.changes,
    };
    return 0;
}

static int delete_one(struct db *db, int64_t key, struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, DELETE, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, key);
    return sql_run(db, s, err);
}

int orders_delete_selected(struct db *db, sqlite3_stmt *select, uint32_t *deleted,
                           struct error *err)
{
    VEC(int64_t) keys = {0}; /* a scan must not see its table change */
    int rc = totals_load(db, err);
    while (rc == 0 && (rc = sql_row(db, select, err)) == 1) {
        rc = VEC_PUSH(&keys, sqlite3_column_int64(select, 0)) ? 0 : out_of_memory(db, err);
        if (sqlite3_column_type(select, 2) == SQLITE_NULL)
            totals_remove_order(&db->totals, sqlite3_column_int64(select, 1),
                                lines_count(sql_column_str(select, 3)));
        else
            db->totals.cancelled--;
        db->totals.dirty = true;
    }
    sqlite3_reset(select);
    for (size_t i = 0; i < keys.count && rc == 0; i++)
        rc = delete_one(db, keys.at[i], err);
    *deleted = (uint32_t)keys.count;
    VEC_FREE(&keys);
    return rc;
}

static int expire_events(struct db *db, int64_t before_ms, uint32_t limit, uint32_t *deleted,
                         struct error *err)
{
    sqlite3_stmt *s;
    int rc = sql_prepare(db, DELETE_OLD_EVENTS, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, before_ms);
    sqlite3_bind_int64(s, 2, limit);
    rc = sql_run(db, s, err);
    if (rc)
        return rc;
    uint32_t count = (uint32_t)sqlite3_changes(db->handle);
    db->totals.events -= count;
    db->totals.dirty = db->totals.dirty || count > 0;
    *deleted += count;
    return 0;
}

int orders_expire(struct db *db, int64_t before_ms, uint32_t limit, uint32_t *deleted,
                  struct error *err)
{
    assert(db->begun);
    sqlite3_stmt *s;
    int rc = sql_prepare(db, OLD, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, before_ms);
    sqlite3_bind_int64(s, 2, limit);
    rc = orders_delete_selected(db, s, deleted, err);
    if (rc || *deleted == limit)
        return rc;
    /* The last piece: settle the first time now, no new order would. */
    rc = settle_times(db, &db->totals, err);
    return rc ? rc : expire_events(db, before_ms, limit - *deleted, deleted, err);
}
