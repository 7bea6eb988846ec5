/* Events are written once and never change: a known id is left alone. */
#include "store/events.h"

#include "store/sql.h"

#include <assert.h>

static const char PUT[] =
    "INSERT INTO events (user_key, time_ms, item_key, kind, event_id, session_id) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (event_id) DO NOTHING";
#define ROW "SELECT user_key, time_ms, item_key, kind, event_id, session_id, event_key FROM events "
static const char SCAN[] = ROW "WHERE time_ms >= ?1 ORDER BY event_key";
static const char SCAN_AFTER[] = ROW "WHERE event_key > ?1 ORDER BY event_key LIMIT ?2";
static const char LAST_KEY[] = "SELECT ifnull(max(event_key), 0) FROM events";

#define SCAN_STEP 1024

int events_put(struct db *db, const struct event_row *row, enum put_outcome *out, struct error *err)
{
    assert(db->begun);
    sqlite3_stmt *s;
    int rc = totals_load(db, err);
    if (rc == 0)
        rc = sql_prepare(db, PUT, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)row->user);
    sqlite3_bind_int64(s, 2, row->time_ms);
    sqlite3_bind_int64(s, 3, row->item);
    sqlite3_bind_int(s, 4, row->kind);
    sql_bind_str(s, 5, row->event_id);
    sql_bind_str(s, 6, row->session_id);
    rc = sql_run(db, s, err);
    if (rc)
        return rc;
    bool added = sqlite3_changes(db->handle) == 1;
    *out = added ? PUT_ACCEPTED : PUT_DUPLICATE;
    if (added)
        db->event = (uint64_t)sqlite3_last_insert_rowid(db->handle);
    db->totals.events += added;
    db->totals.dirty = db->totals.dirty || added;
    return 0;
}

uint64_t events_newest(const struct db *db)
{
    return db->event;
}

static struct event_row read_event(sqlite3_stmt *s)
{
    return (struct event_row){
        .key = (uint64_t)sqlite3_column_int64(s, 6),
        .event_id = sql_column_str(s, 4),
        .session_id = sql_column_str(s, 5),
        .user = (uint64_t)sqlite3_column_int64(s, 0),
        .item = (uint32_t)sqlite3_column_int64(s, 2),
        .kind = sqlite3_column_int(s, 3),
        .time_ms = sqlite3_column_int64(s, 1),
    };
}

int events_scan(struct db *db, int64_t from_ms, event_visitor visit, void *context,
                struct progress *progress, struct error *err)
{
    sqlite3_stmt *s;
    uint64_t rows = 0;
    int rc = totals_load(db, err);
    if (rc == 0)
        rc = sql_prepare(db, SCAN, &s, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(s, 1, from_ms);
    progress_begin(progress, "reading events", (uint64_t)db->totals.events);
    while ((rc = sql_row(db, s, err)) == 1) {
        if (++rows % SCAN_STEP == 0 && progress_step(progress, SCAN_STEP)) {
            rc = error_set(err, ERR_CANCELLED, "reading events: cancelled");
            break;
        }
        struct event_row row = read_event(s);
        rc = visit(context, &row, err);
        if (rc)
            break;
    }
    sqlite3_reset(s);
    return rc;
}

int events_scan_after(struct db *db, uint64_t *after, uint32_t limit, event_visitor visit,
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
        struct event_row row = read_event(s);
        rc = visit(context, &row, err);
        if (rc)
            break;
        last = row.key;
        rows++;
    }
    sqlite3_reset(s);
    if (rc)
        return rc;
    *after = last;
    *ended = rows < limit;
    return 0;
}

int events_last_key(struct db *db, uint64_t *key, struct error *err)
{
    int64_t last = 0;
    int rc = sql_integer(db, LAST_KEY, &last, err);
    if (rc == 0)
        *key = (uint64_t)last;
    return rc;
}

int events_count(struct db *db, uint64_t *count, struct error *err)
{
    int rc = totals_load(db, err);
    if (rc == 0)
        *count = (uint64_t)db->totals.events;
    return rc;
}
