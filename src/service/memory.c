/* Changes are collected while ops run and put in place some at a time under one hold of the lock,
 * so that answers never wait long.
 *
 * An overlay belongs to one model. Before a model goes live its overlay is made beside the other's;
 * then each loop answers from the model it has and that one's overlay, so no order is missed or
 * counted twice while they change over. The keeper drops the old one. */
#include "memory_internal.h"

#include "base/log.h"
#include "service/live.h"
#include "service/writer.h"

#include <stdlib.h>

#define PUT_AT_ONCE   64u   /* changes under one hold of the lock */
#define SWEEP_AT_ONCE 4096u /* shoppers */

void memory_changes_clear(struct memory_changes *changes)
{
    changes->list.count = changes->slots.count = 0;
}

void memory_changes_free(struct memory_changes *changes)
{
    VEC_FREE(&changes->list);
    VEC_FREE(&changes->slots);
}

int memory_note(struct memory_changes *changes, struct memory_change change, struct error *err)
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
    return memory_note(changes,
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
    return memory_note(changes,
                       (struct memory_change){.kind = MEMORY_GONE,
                                              .key = change->key,
                                              .user_before = change->user_before},
                       err);
}

int memory_note_event(struct memory_changes *changes, const struct event_row *row,
                      struct str user_id, struct error *err)
{
    return memory_note(changes,
                       (struct memory_change){.kind = MEMORY_EVENT,
                                              .key = row->key,
                                              .user = row->user,
                                              .user_id = user_id,
                                              .time_ms = row->time_ms,
                                              .slot = row->item,
                                              .event = row->kind},
                       err);
}

static int put_fresh(struct overlay *o, const struct memory_changes *changes,
                     const struct memory_change *c, struct error *err)
{
    if (c->kind == MEMORY_GONE)
        fresh_remove(o->fresh, c->key);
    if (c->kind != MEMORY_ORDER)
        return 0;
    return fresh_put(o->fresh, c->key, c->time_ms, changes->slots.at + c->first, c->count, err);
}

static int put_history(struct memory *m, const struct memory_changes *changes,
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

static int put_everywhere(struct memory *m, const struct memory_changes *changes,
                          const struct memory_change *c, struct error *err)
{
    int rc = 0;
    if (c->user_id.len) /* also when the rest is for later: users were read first */
        rc = shoppers_know(&m->shoppers, c->user, c->user_id, err);
    if (rc == 0 && !is_for_later(m, c))
        rc = put_history(m, changes, c, err);
    for (int x = 0; x < OVERLAYS && rc == 0; x++)
        if (m->overlays[x].fresh && c->key <= m->overlays[x].orders)
            rc = put_fresh(&m->overlays[x], changes, c, err);
    return rc;
}

int memory_put(struct shop *shop, const struct memory_changes *changes, int target,
               struct error *err)
{
    struct memory *m = &shop->memory;
    int rc = 0;
    for (size_t i = 0; i < changes->list.count && rc == 0;) {
        pthread_rwlock_wrlock(&shop->memory_lock);
        for (size_t end = i + PUT_AT_ONCE; i < changes->list.count && i < end && rc == 0; i++) {
            const struct memory_change *c = &changes->list.at[i];
            if (target == TARGET_ALL)
                rc = put_everywhere(m, changes, c, err);
            else if (target != TARGET_HISTORIES)
                rc = put_fresh(&m->overlays[target], changes, c, err);
            else if (c->kind == MEMORY_USER)
                rc = shoppers_know(&m->shoppers, c->user, c->user_id, err);
            else
                rc = put_history(m, changes, c, err);
        }
        pthread_rwlock_unlock(&shop->memory_lock);
    }
    return rc;
}

void memory_apply(struct shop *shop, const struct memory_changes *changes)
{
    struct error err = ERROR_INIT;
    if (!shop->memory.kept || memory_put(shop, changes, TARGET_ALL, &err) == 0)
        return;
    log_error("memory.reload", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
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
    for (int x = 0; x < OVERLAYS; x++) {
        struct fresh *fresh = shop->memory.overlays[x].fresh;
        pthread_rwlock_wrlock(&shop->memory_lock);
        if (fresh)
            fresh_expire(fresh, before_ms);
        pthread_rwlock_unlock(&shop->memory_lock);
    }
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
    m->last_event = MEMORY_NOT_BEGUN;
    m->loaded = m->complete = false;
    for (int x = 0; x < OVERLAYS; x++) {
        struct overlay *o = &m->overlays[x];
        if (o->fresh)
            fresh_clear(o->fresh);
        o->orders = o->fresh ? o->fresh->model->newest_order : 0;
    }
}

void memory_init(struct memory *m, bool kept)
{
    begin(m);
    m->kept = kept;
}

void memory_deinit(struct memory *m)
{
    for (int x = 0; x < OVERLAYS; x++) {
        fresh_free(m->overlays[x].fresh);
        m->overlays[x].fresh = NULL;
    }
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

const struct fresh *memory_fresh(const struct memory *m, const struct model *model)
{
    for (int x = 0; x < OVERLAYS; x++)
        if (m->overlays[x].fresh && m->overlays[x].fresh->model == model)
            return m->overlays[x].fresh;
    return NULL;
}

/* Takes `fresh`; what it replaces was for a model that did not go live. */
static void place(struct shop *shop, struct fresh *fresh)
{
    struct memory *m = &shop->memory;
    struct overlay *o = &m->overlays[m->overlays[0].fresh ? 1 : 0];
    pthread_rwlock_wrlock(&shop->memory_lock);
    struct fresh *old = o->fresh;
    *o = (struct overlay){fresh, fresh->model->newest_order};
    m->complete = false;
    pthread_rwlock_unlock(&shop->memory_lock);
    fresh_free(old);
}

static struct fresh *make(struct shop *shop, struct model *model, struct error *err)
{
    struct fresh_limits limits = {.max_order_items = shop->settings->max_order_items};
    return fresh_new(model, &limits, err);
}

int memory_begin_overlay(struct shop *shop, struct model *model, struct error *err)
{
    struct fresh *fresh = make(shop, model, err);
    if (!fresh)
        return ERR_NOMEM;
    place(shop, fresh);
    return 0;
}

struct place_op {
    struct op op;
    struct fresh *fresh;
};

static int do_nothing(struct shop *shop, struct op *op, struct error *err)
{
    (void)shop, (void)op, (void)err;
    return 0;
}

static void place_apply(struct shop *shop, struct op *op)
{
    struct place_op *self = (struct place_op *)op;
    place(shop, self->fresh);
    self->fresh = NULL;
}

static void settle_apply(struct shop *shop, struct op *op)
{
    struct overlay *o = shop->memory.overlays;
    struct model *model = live_ref(shop->live);
    struct fresh *old = NULL;
    (void)op;
    if (o[1].fresh && o[1].fresh->model == model) {
        pthread_rwlock_wrlock(&shop->memory_lock);
        old = o[0].fresh;
        o[0] = o[1];
        o[1] = (struct overlay){0};
        pthread_rwlock_unlock(&shop->memory_lock);
    }
    fresh_free(old);
    model_unref(model);
}

void memory_settle(struct shop *shop)
{
    struct op op = {.run = do_nothing, .apply = settle_apply, .cost = 1};
    pthread_rwlock_rdlock(&shop->memory_lock);
    bool two = shop->memory.overlays[1].fresh != NULL;
    pthread_rwlock_unlock(&shop->memory_lock);
    if (two && shop_write_wait(shop, &op, NULL) != 0)
        log_warn("fresh.settle", "error=%s", "later");
}

/* Without writer: a start, which begins the overlay itself. */
void memory_prepare(struct shop *shop, struct model *model)
{
    struct error err = ERROR_INIT;
    struct place_op self = {.op = {.run = do_nothing, .apply = place_apply, .cost = 1}};
    if (!shop->memory.kept || !shop->writer)
        return;
    memory_settle(shop); /* else the place taken might be the live model's */
    self.fresh = make(shop, model, &err);
    int rc = self.fresh ? shop_write_wait(shop, &self.op, &err) : ERR_NOMEM;
    fresh_free(self.fresh);
    while (rc == 0 && !shop->memory.complete)
        rc = memory_load_wait(shop, &err);
    if (rc != 0) /* the keeper tries on */
        log_warn("fresh.prepare", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
}

static bool has_overlay(struct shop *shop, const struct model *model)
{
    pthread_rwlock_rdlock(&shop->memory_lock);
    bool has = memory_fresh(&shop->memory, model) != NULL;
    pthread_rwlock_unlock(&shop->memory_lock);
    return has;
}

void memory_repair(struct shop *shop)
{
    pthread_mutex_lock(&shop->publish_mutex);
    struct model *live = live_ref(shop->live);
    if (live && !has_overlay(shop, live))
        memory_prepare(shop, live);
    model_unref(live);
    pthread_mutex_unlock(&shop->publish_mutex);
}
