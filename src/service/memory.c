/* Changes are collected while ops run and put in place a few hundred at a time under one hold of
 * the lock, so that answers never wait long. A slice of loading is read from the database into the
 * same list of changes, without the lock, and put in place the same way.
 *
 * Orders are safe to put twice, so those up to the cursor are always put. An event is not: loading
 * ends at the newest event there was when it began, and later ones are put by their ops. */
#include "service/memory.h"

#include "base/arena.h"
#include "base/log.h"
#include "service/shop.h"
#include "service/writer.h"
#include "store/users.h"

#include <stdlib.h>

#define SLICE         5000u
#define PUT_AT_ONCE   256u     /* changes under one hold of the lock */
#define SWEEP_AT_ONCE 4096u    /* shoppers */
#define EVENTS_LOADED 5000000u /* the newest rows; older ones would be pushed out by these */
#define NOT_BEGUN     UINT64_MAX

void memory_changes_clear(struct memory_changes *changes)
{
    changes->list.count = changes->slots.count = 0;
}

void memory_changes_free(struct memory_changes *changes)
{
    VEC_FREE(&changes->list);
    VEC_FREE(&changes->slots);
}

static int note(struct memory_changes *changes, struct memory_change change, struct error *err)
{
    if (VEC_PUSH(&changes->list, change))
        return 0;
    return error_set(err, ERR_NOMEM, "histories: out of memory");
}

int memory_note_order(struct memory_changes *changes, const struct order_change *change,
                      const struct order_row *row, struct str user_id, struct error *err)
{
    size_t first = changes->slots.count;
    if (!VEC_RESERVE(&changes->slots, first + row->line_count))
        return error_set(err, ERR_NOMEM, "histories: out of memory");
    for (uint32_t i = 0; i < row->line_count; i++)
        changes->slots.at[changes->slots.count++] = row->lines[i].item;
    return note(changes,
                (struct memory_change){.kind = MEMORY_ORDER,
                                       .key = change->key,
                                       .user = row->user,
                                       .user_before = change->user_before,
                                       .user_id = user_id,
                                       .time_ms = change->time_ms,
                                       .first = first,
                                       .count = row->line_count},
                err);
}

int memory_note_gone(struct memory_changes *changes, const struct order_change *change,
                     struct error *err)
{
    return note(changes,
                (struct memory_change){
                    .kind = MEMORY_GONE, .key = change->key, .user_before = change->user_before},
                err);
}

int memory_note_event(struct memory_changes *changes, const struct event_row *row,
                      struct str user_id, struct error *err)
{
    return note(changes,
                (struct memory_change){.kind = MEMORY_EVENT,
                                       .key = row->key,
                                       .user = row->user,
                                       .user_id = user_id,
                                       .time_ms = row->time_ms,
                                       .slot = row->item,
                                       .event = row->kind},
                err);
}

static int put_change(struct memory *m, const struct memory_changes *changes,
                      const struct memory_change *c, struct error *err)
{
    switch (c->kind) {
    case MEMORY_ORDER:
        shoppers_remove_order(&m->shoppers, c->user_before, c->key);
        return shoppers_put_order(&m->shoppers, c->user, c->key, c->time_ms,
                                  changes->slots.at + c->first, c->count, err);
    case MEMORY_GONE:
        shoppers_remove_order(&m->shoppers, c->user_before, c->key);
        return 0;
    case MEMORY_EVENT:
        return shoppers_put_event(
            &m->shoppers, c->user,
            &(struct click){c->slot, history_time_s(c->time_ms), (uint32_t)c->event}, err);
    case MEMORY_USER:
        return 0;
    }
    return 0;
}

/* Left to the slice that will read its row. */
static bool is_for_later(const struct memory *m, const struct memory_change *c)
{
    if (c->kind == MEMORY_EVENT)
        return c->key > m->events && c->key <= m->last_event;
    return c->key > m->orders;
}

/* `loading`: they are a slice's. */
static int put_changes(struct shop *shop, const struct memory_changes *changes, bool loading,
                       struct error *err)
{
    struct memory *m = &shop->memory;
    int rc = 0;
    for (size_t i = 0; i < changes->list.count && rc == 0;) {
        pthread_rwlock_wrlock(&shop->memory_lock);
        for (size_t end = i + PUT_AT_ONCE; i < changes->list.count && i < end && rc == 0; i++) {
            const struct memory_change *c = &changes->list.at[i];
            if (c->user_id.len) /* also when the rest is for later: users were read first */
                rc = shoppers_know(&m->shoppers, c->user, c->user_id, err);
            if (rc == 0 && (loading || !is_for_later(m, c)))
                rc = put_change(m, changes, c, err);
        }
        pthread_rwlock_unlock(&shop->memory_lock);
    }
    return rc;
}

void memory_apply(struct shop *shop, const struct memory_changes *changes)
{
    struct error err = ERROR_INIT;
    if (!shop->memory.kept || put_changes(shop, changes, false, &err) == 0)
        return;
    log_error("histories.reload", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
    memory_restart(shop);
}

void memory_forget_user(struct shop *shop, struct str user_id)
{
    pthread_rwlock_wrlock(&shop->memory_lock);
    shoppers_forget(&shop->memory.shoppers, user_id);
    pthread_rwlock_unlock(&shop->memory_lock);
}

void memory_expire(struct shop *shop, int64_t before_ms)
{
    struct shoppers *s = &shop->memory.shoppers;
    for (size_t at = 0; at < s->cap; at += SWEEP_AT_ONCE) {
        pthread_rwlock_wrlock(&shop->memory_lock);
        shoppers_expire(s, at, at + SWEEP_AT_ONCE, before_ms);
        pthread_rwlock_unlock(&shop->memory_lock);
    }
}

static void begin(struct memory *m)
{
    shoppers_init(&m->shoppers);
    m->users = m->orders = m->events = 0;
    m->last_event = NOT_BEGUN;
    m->loaded = false;
}

void memory_init(struct memory *m, bool kept)
{
    begin(m);
    m->kept = kept;
}

void memory_deinit(struct memory *m)
{
    shoppers_deinit(&m->shoppers);
}

void memory_restart(struct shop *shop)
{
    struct memory *m = &shop->memory;
    pthread_rwlock_wrlock(&shop->memory_lock);
    struct shoppers old = m->shoppers;
    begin(m);
    pthread_rwlock_unlock(&shop->memory_lock);
    shoppers_deinit(&old);
}

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
    return note(&s->changes, change, err);
}

static int take_order(void *context, const struct order_row *row, struct error *err)
{
    struct slice *s = context;
    struct order_change change = {.key = row->key, .time_ms = row->time_ms};
    if (row->user == 0)
        return 0;
    return memory_note_order(&s->changes, &change, row, STR_NONE, err);
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
static int read_slice(struct memory *m, struct db *db, struct slice *s, struct error *err)
{
    bool ended = false;
    if (m->last_event == NOT_BEGUN)
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

static bool all_read(const struct memory *m)
{
    return m->users == UINT64_MAX && m->orders == UINT64_MAX && m->events >= m->last_event;
}

int memory_load_some(struct shop *shop, struct db *db, struct error *err)
{
    struct memory *m = &shop->memory;
    struct slice s = {.memory = m};
    if (!m->kept || m->loaded)
        return 0;
    arena_init(&s.text);
    int rc = read_slice(m, db, &s, err);
    if (rc == 0 && put_changes(shop, &s.changes, true, err) != 0) {
        memory_restart(shop); /* what is missing now, nobody would bring */
        rc = ERR_NOMEM;
    }
    if (rc == 0 && all_read(m)) {
        pthread_rwlock_wrlock(&shop->memory_lock);
        m->loaded = true;
        pthread_rwlock_unlock(&shop->memory_lock);
        log_info("histories.loaded", "shoppers=%llu lines=%llu events=%llu bytes=%zu",
                 (unsigned long long)shoppers_count(&m->shoppers),
                 (unsigned long long)m->shoppers.line_count,
                 (unsigned long long)m->shoppers.event_count, shoppers_bytes(&m->shoppers));
    }
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
