/* The totals row. Changes are made in memory and written once, by the commit, so that an order
 * costs no extra statement. An undone savepoint brings the numbers of its beginning back, an undone
 * transaction forgets them.
 *
 * First and last time are bounds. Taking away the order at a bound leaves it a bound that may not
 * be reached any more (a scan then answers the question), and the next order at or beyond it makes
 * it exact again: in live traffic, the next order. */
#include "store/sql.h"

#include <assert.h>

static const char TOTALS_LOAD[] =
    "SELECT orders, cancelled, lines, changes, events, first_ms, last_ms, first_exact, last_exact "
    "FROM totals WHERE one = 1";
static const char TOTALS_STORE[] =
    "UPDATE totals SET orders = ?1, cancelled = ?2, lines = ?3, changes = ?4, events = ?5, "
    "first_ms = ?6, last_ms = ?7, first_exact = ?8, last_exact = ?9 WHERE one = 1";

int totals_load(struct db *db, struct error *err)
{
    struct totals *t = &db->totals;
    if (t->loaded)
        return sql_usable(db, err);
    sqlite3_stmt *s;
    int rc = sql_prepare(db, TOTALS_LOAD, &s, err);
    if (rc == 0)
        rc = sql_row(db, s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return error_set(err, ERR_CORRUPT, "%s: table totals is empty", db->name);
    int64_t *fields[] = {&t->orders, &t->cancelled, &t->lines,  &t->changes,
                         &t->events, &t->first_ms,  &t->last_ms};
    for (int i = 0; i < 7; i++)
        *fields[i] = sqlite3_column_int64(s, i);
    t->first_exact = sqlite3_column_int(s, 7);
    t->last_exact = sqlite3_column_int(s, 8);
    t->loaded = db->begun; /* outside of a transaction another one may change it meanwhile */
    t->dirty = false;
    sqlite3_reset(s);
    return 0;
}

int totals_store(struct db *db, struct error *err)
{
    struct totals *t = &db->totals;
    if (!t->loaded || !t->dirty)
        return 0;
    sqlite3_stmt *s;
    int rc = sql_prepare(db, TOTALS_STORE, &s, err);
    if (rc)
        return rc;
    const int64_t fields[] = {t->orders,   t->cancelled, t->lines,       t->changes,   t->events,
                              t->first_ms, t->last_ms,   t->first_exact, t->last_exact};
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(s, i + 1, fields[i]);
    t->dirty = false;
    return sql_run(db, s, err);
}

void totals_add_order(struct totals *t, int64_t time_ms, uint32_t lines)
{
    assert(t->loaded);
    if (t->orders == 0 || time_ms <= t->first_ms) {
        t->first_ms = time_ms;
        t->first_exact = true;
    }
    if (t->orders == 0 || time_ms >= t->last_ms) {
        t->last_ms = time_ms;
        t->last_exact = true;
    }
    t->orders++;
    t->lines += lines;
    t->dirty = true;
}

void totals_remove_order(struct totals *t, int64_t time_ms, uint32_t lines)
{
    assert(t->loaded);
    t->orders--;
    t->lines -= lines;
    t->dirty = true;
    if (time_ms <= t->first_ms)
        t->first_exact = false;
    if (time_ms >= t->last_ms)
        t->last_exact = false;
    if (t->orders > 0)
        return;
    t->first_ms = t->last_ms = 0;
    t->first_exact = t->last_exact = true;
}
