/* Slices of orders.db into memory. A slice is read into a list of changes, without the lock, and
 * put in place as those of an op are.
 *
 * Orders are safe to put twice, so those up to the cursor are always put. An event is not: loading
 * ends at the newest event there was when it began, and later ones are put by their ops. Overlays
 * come first: they are small, and the whole shop's answers depend on them. */
#include "memory_internal.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"
#include "service/writer.h"
#include "store/users.h"

#define SLICE         5000u    /* rows */
#define EVENTS_LOADED 5000000u /* the newest rows; older ones would be pushed out by these */

struct slice {
    const struct memory *memory;
    struct memory_changes changes;
    struct arena text;
};

static int take_user(void *context, uint64_t key, struct str user_id, struct error *err)
{
    struct slice *s = context;
    struct memory_change change = {
        .kind = MEMORY_USER, .user = key, .user_id = arena_str(&s->text, user_id)};
    if (!change.user_id.ptr)
        return error_set(err, ERR_NOMEM, "histories: out of memory");
    return memory_note(&s->changes, change, err);
}

static int take_any_order(void *context, const struct order_row *row, struct error *err)
{
    struct slice *s = context;
    struct order_change change = {.key = row->key, .time_ms = row->time_ms};
    return memory_note_order(&s->changes, &change, row, STR_NONE, err);
}

static int take_order(void *context, const struct order_row *row, struct error *err)
{
    return row->user == 0 ? 0 : take_any_order(context, row, err);
}

static int take_event(void *context, const struct event_row *row, struct error *err)
{
    struct slice *s = context;
    if (row->user == 0 || row->key > s->memory->last_event)
        return 0;
    return memory_note_event(&s->changes, row, STR_NONE, err);
}

static int find_events(struct memory *m, struct db *db, struct error *err)
{
    uint64_t last;
    int rc = events_last_key(db, &last, err);
    if (rc != 0)
        return rc;
    m->last_event = last;
    m->events = last > EVENTS_LOADED ? last - EVENTS_LOADED : 0;
    return 0;
}

/* Users first. A new one's id comes with its op. */
static int read_histories(struct memory *m, struct db *db, struct slice *s, struct error *err)
{
    bool ended = false;
    if (m->last_event == MEMORY_NOT_BEGUN)
        return find_events(m, db, err);
    int rc;
    if (m->users != UINT64_MAX) {
        rc = users_scan_after(db, &m->users, SLICE, take_user, s, &ended, err);
        if (ended)
            m->users = UINT64_MAX;
    } else if (m->orders != UINT64_MAX) {
        rc = orders_scan_after(db, &m->orders, SLICE, take_order, s, &ended, err);
        if (ended)
            m->orders = UINT64_MAX;
    } else {
        rc = events_scan_after(db, &m->events, SLICE, take_event, s, &ended, err);
        if (ended)
            m->events = m->last_event;
    }
    return rc;
}

/* Orders that would make room for later ones at once are not read. */
static int read_fresh(struct overlay *o, struct db *db, struct slice *s, struct error *err)
{
    bool ended = false;
    uint64_t last;
    int rc = orders_last_key(db, &last, err);
    if (rc != 0)
        return rc;
    if (last > LIMIT_FRESH_ORDERS && o->orders < last - LIMIT_FRESH_ORDERS)
        o->orders = last - LIMIT_FRESH_ORDERS;
    rc = orders_scan_after(db, &o->orders, SLICE, take_any_order, s, &ended, err);
    if (ended)
        o->orders = UINT64_MAX;
    return rc;
}

static bool histories_read(const struct memory *m)
{
    return m->users == UINT64_MAX && m->orders == UINT64_MAX && m->events >= m->last_event;
}

/* The overlay that is not all read; -1: none. */
static int open_overlay(const struct memory *m)
{
    for (int x = 0; x < OVERLAYS; x++)
        if (m->overlays[x].fresh && m->overlays[x].orders != UINT64_MAX)
            return x;
    return -1;
}

static void note_progress(struct shop *shop)
{
    struct memory *m = &shop->memory;
    bool loaded = histories_read(m), first = loaded && !m->loaded;
    pthread_rwlock_wrlock(&shop->memory_lock);
    m->loaded = loaded;
    m->complete = loaded && open_overlay(m) < 0;
    pthread_rwlock_unlock(&shop->memory_lock);
    if (first)
        log_info("histories.loaded", "shoppers=%llu lines=%llu events=%llu bytes=%zu",
                 (unsigned long long)shoppers_count(&m->shoppers),
                 (unsigned long long)m->shoppers.line_count,
                 (unsigned long long)m->shoppers.event_count, shoppers_bytes(&m->shoppers));
}

int memory_load_some(struct shop *shop, struct db *db, struct error *err)
{
    struct memory *m = &shop->memory;
    struct slice s = {.memory = m};
    if (!m->kept || m->complete)
        return 0;
    arena_init(&s.text);
    int x = open_overlay(m);
    int rc = x < 0 ? read_histories(m, db, &s, err) : read_fresh(&m->overlays[x], db, &s, err);
    if (rc == 0 && memory_put(shop, &s.changes, x < 0 ? TARGET_HISTORIES : x, err) != 0) {
        memory_restart(shop); /* what is missing now, nobody would bring */
        rc = ERR_NOMEM;
    }
    if (rc == 0)
        note_progress(shop);
    memory_changes_free(&s.changes);
    arena_deinit(&s.text);
    return rc;
}

static int load_run(struct shop *shop, struct op *op, struct error *err)
{
    (void)shop, (void)op, (void)err;
    return 0;
}

/* After the commit, so that what is read is what holds. */
static void load_apply(struct shop *shop, struct op *op)
{
    op->result = memory_load_some(shop, writer_db(shop->writer), &op->err);
}

int memory_load_wait(struct shop *shop, struct error *err)
{
    struct op op = {.run = load_run, .apply = load_apply, .cost = SLICE};
    return shop_write_wait(shop, &op, err);
}
