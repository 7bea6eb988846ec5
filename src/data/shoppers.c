/* An array by user key, for keys are handed out 1, 2, 3, …, with two short sorted lists each. New
 * lines mostly belong at the end, so putting one is a small move; lists grow by a quarter, because
 * there are a million of them. */
#include "data/shoppers.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(LIMIT_HISTORY_LINES < UINT16_MAX && LIMIT_HISTORY_EVENTS < UINT16_MAX,
               "counts are 16 bits");

void shoppers_init(struct shoppers *s)
{
    *s = (struct shoppers){0};
    strmap_init(&s->ids);
}

void shoppers_deinit(struct shoppers *s)
{
    for (size_t i = 0; i < s->cap; i++) {
        free(s->at[i].lines);
        free(s->at[i].events);
    }
    free(s->at);
    strmap_deinit(&s->ids);
    shoppers_init(s);
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "histories: out of memory");
}

uint32_t history_time_s(int64_t time_ms)
{
    int64_t time_s = time_ms / 1000;
    return time_s < 0 ? 0 : time_s < UINT32_MAX ? (uint32_t)time_s : UINT32_MAX;
}

static bool has_place(uint64_t user)
{
    return user != 0 && user < MAP_NONE;
}

/* The user's shopper; NULL: out of memory. */
static struct shopper *place_of(struct shoppers *s, uint64_t user)
{
    if (user < s->cap)
        return &s->at[user];
    size_t cap = mem_grow(s->cap, (size_t)user + 1);
    struct shopper *at = mem_resize(s->at, cap, sizeof *at);
    if (!at)
        return NULL;
    memset(at + s->cap, 0, (cap - s->cap) * sizeof *at);
    s->at = at;
    s->cap = cap;
    return &at[user];
}

int shoppers_know(struct shoppers *s, uint64_t user, struct str user_id, struct error *err)
{
    if (!has_place(user) || strmap_get(&s->ids, user_id) == user)
        return 0;
    if (!place_of(s, user) || !strmap_set(&s->ids, user_id, (uint32_t)user))
        return out_of_memory(err);
    return 0;
}

/* Makes room for `need` elements of one list; both kinds are three numbers. */
static bool reserve(struct shoppers *s, void **list, uint16_t *cap, uint32_t need, uint32_t most)
{
    _Static_assert(sizeof(struct purchase) == sizeof(struct click), "lists grow alike");
    if (need <= *cap)
        return true;
    uint32_t grown = need + need / 4 + 1;
    if (grown > most)
        grown = most;
    void *at = mem_resize(*list, grown, sizeof(struct purchase));
    if (!at)
        return false;
    s->list_bytes += (grown - *cap) * sizeof(struct purchase);
    *cap = (uint16_t)grown;
    *list = at;
    return true;
}

static bool is_before(const struct purchase *a, const struct purchase *b)
{
    if (a->time_s != b->time_s)
        return a->time_s < b->time_s;
    if (a->order != b->order)
        return a->order < b->order;
    return a->slot < b->slot;
}

/* Of a full list the oldest line makes room, unless the new one is older. */
static void insert_line(struct shopper *who, struct purchase line, uint64_t *lines)
{
    uint32_t at = who->line_count;
    while (at > 0 && is_before(&line, &who->lines[at - 1]))
        at--;
    if (who->line_count < LIMIT_HISTORY_LINES) {
        memmove(who->lines + at + 1, who->lines + at, (who->line_count - at) * sizeof line);
        who->lines[at] = line;
        who->line_count++;
        ++*lines;
    } else if (at > 0) {
        memmove(who->lines, who->lines + 1, (at - 1) * sizeof line);
        who->lines[at - 1] = line;
    }
}

int shoppers_put_order(struct shoppers *s, uint64_t user, uint64_t order, int64_t time_ms,
                       const uint32_t *slots, uint32_t count, struct error *err)
{
    if (!has_place(user))
        return 0;
    shoppers_remove_order(s, user, order);
    struct shopper *who = place_of(s, user);
    if (!who)
        return out_of_memory(err);
    uint32_t need = count < LIMIT_HISTORY_LINES ? who->line_count + count : LIMIT_HISTORY_LINES;
    if (need > LIMIT_HISTORY_LINES)
        need = LIMIT_HISTORY_LINES;
    if (!reserve(s, (void **)&who->lines, &who->line_cap, need, LIMIT_HISTORY_LINES))
        return out_of_memory(err);
    for (uint32_t i = 0; i < count; i++)
        insert_line(who, (struct purchase){slots[i], history_time_s(time_ms), (uint32_t)order},
                    &s->line_count);
    return 0;
}

void shoppers_remove_order(struct shoppers *s, uint64_t user, uint64_t order)
{
    if (!has_place(user) || user >= s->cap)
        return;
    struct shopper *who = &s->at[user];
    uint16_t kept = 0;
    for (uint16_t i = 0; i < who->line_count; i++)
        if (who->lines[i].order != (uint32_t)order)
            who->lines[kept++] = who->lines[i];
    s->line_count -= who->line_count - kept;
    who->line_count = kept;
}

int shoppers_put_event(struct shoppers *s, uint64_t user, const struct click *event,
                       struct error *err)
{
    if (!has_place(user))
        return 0;
    struct shopper *who = place_of(s, user);
    if (!who)
        return out_of_memory(err);
    bool full = who->event_count == LIMIT_HISTORY_EVENTS;
    uint32_t need = full ? who->event_count : who->event_count + 1u;
    if (!reserve(s, (void **)&who->events, &who->event_cap, need, LIMIT_HISTORY_EVENTS))
        return out_of_memory(err);
    struct click *events = who->events;
    uint32_t at = who->event_count;
    while (at > 0 && event->time_s < events[at - 1].time_s)
        at--;
    if (!full) {
        memmove(events + at + 1, events + at, (who->event_count - at) * sizeof *events);
        events[at] = *event;
        who->event_count++;
        s->event_count++;
    } else if (at > 0) {
        memmove(events, events + 1, (at - 1) * sizeof *events);
        events[at - 1] = *event;
    }
    return 0;
}

void shoppers_forget(struct shoppers *s, struct str user_id)
{
    uint32_t user = strmap_get(&s->ids, user_id);
    if (user == MAP_NONE)
        return;
    struct shopper *who = &s->at[user];
    s->line_count -= who->line_count;
    s->event_count -= who->event_count;
    s->list_bytes -= (who->line_cap + (size_t)who->event_cap) * sizeof(struct purchase);
    free(who->lines);
    free(who->events);
    *who = (struct shopper){0};
    strmap_remove(&s->ids, user_id);
}

void shoppers_expire(struct shoppers *s, size_t from, size_t to, int64_t before_ms)
{
    uint32_t before_s = history_time_s(before_ms);
    for (size_t i = from; i < to && i < s->cap; i++) {
        struct shopper *who = &s->at[i];
        uint16_t lines = 0, events = 0;
        while (lines < who->line_count && who->lines[lines].time_s < before_s)
            lines++;
        while (events < who->event_count && who->events[events].time_s < before_s)
            events++;
        if (lines)
            memmove(who->lines, who->lines + lines, (who->line_count - lines) * sizeof *who->lines);
        if (events)
            memmove(who->events, who->events + events,
                    (who->event_count - events) * sizeof *who->events);
        who->line_count -= lines;
        who->event_count -= events;
        s->line_count -= lines;
        s->event_count -= events;
    }
}

const struct shopper *shoppers_find(const struct shoppers *s, struct str user_id)
{
    uint32_t user = strmap_get(&s->ids, user_id);
    return user == MAP_NONE ? NULL : &s->at[user];
}

uint64_t shoppers_count(const struct shoppers *s)
{
    return s->ids.count;
}

size_t shoppers_bytes(const struct shoppers *s)
{
    return s->cap * sizeof *s->at + s->list_bytes + strmap_bytes(&s->ids);
}
