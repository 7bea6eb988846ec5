/* What the answer starts from: the items of the question, behind those of the shopper's history
 * where the surface is about one. Ids become indices: of the model's items, or beyond them of an
 * item that only fresh orders know.
 *
 * Of a history the newest distinct items count, of what was bought and what was looked at, each as
 * often as its newest action says (data/events.h). What was bought is not suggested again, unless
 * the question wants that. */
#include "recommend_internal.h"

#include <string.h>

/* Slots of the set of unknown ids: a power of two, at least twice the items of a query. */
#define UNKNOWN_SLOTS 2048u
_Static_assert(UNKNOWN_SLOTS >= 2 * LIMIT_QUERY_ITEMS, "the set of unknown ids stays half empty");

static uint32_t hash_id(struct str id)
{
    uint32_t h =
        2166136261u; /* FNV-1a: at most LIMIT_QUERY_ITEMS keys, so a bad spread is no harm */
    for (size_t x = 0; x < id.len; x++)
        h = (h ^ (unsigned char)id.ptr[x]) * 16777619u;
    return h;
}

/* Notes query item x as unknown, unless an equal id was. */
static void add_unknown(struct request *r, uint16_t slots[UNKNOWN_SLOTS], uint32_t x)
{
    struct scratch *s = r->s;
    if (s->unknown_count == 0)
        memset(slots, 0, UNKNOWN_SLOTS * sizeof *slots);
    struct str id = r->q->items[x];
    uint32_t at = hash_id(id) % UNKNOWN_SLOTS;
    while (slots[at]) {
        if (str_eq(id, r->q->items[s->unknown[slots[at] - 1]]))
            return;
        at = (at + 1) % UNKNOWN_SLOTS;
    }
    s->unknown[s->unknown_count++] = x;
    slots[at] = (uint16_t)s->unknown_count;
}

/* The index of an item of the catalogue; DICT_NONE: neither model nor fresh orders have it. */
static uint32_t index_of_slot(const struct request *r, uint32_t slot)
{
    uint32_t x = r->fresh ? fresh_find(r->fresh, slot) : FRESH_NONE;
    if (x == FRESH_NONE)
        return model_item_of_slot(r->m, slot);
    const struct fresh_item *item = &r->fresh->items[x];
    if (item->item != DICT_NONE)
        return item->item;
    return item->orders ? r->m->item_count + x : DICT_NONE;
}

static uint32_t index_of_id(const struct request *r, struct str id)
{
    uint32_t item = dict_find(&r->m->items, id);
    if (item != DICT_NONE || !r->fresh)
        return item;
    uint32_t slot = catalog_find(r->c, id);
    return slot == CATALOG_NONE ? DICT_NONE : index_of_slot(r, slot);
}

static void mask(struct request *r, uint32_t item)
{
    struct scratch *s = r->s;
    if (s->cells[item].stamp == s->stamp)
        return;
    s->cells[item] = (struct cell){s->stamp, INFINITY};
    s->masked_count += item_orders(r, item) > 0;
}

static void add_context(struct request *r, uint32_t item, float weight)
{
    struct scratch *s = r->s;
    s->context[s->context_count] = item;
    s->weight[s->context_count++] = weight;
}

static void turn_round(uint32_t *items, uint32_t count)
{
    for (uint32_t x = 0; x < count / 2; x++) {
        uint32_t item = items[x];
        items[x] = items[count - 1 - x];
        items[count - 1 - x] = item;
    }
}

/* Distinct, each at its first place; what is held has no order that a repeat could tell of. Of a
 * session at its last. */
static void add_items(struct request *r)
{
    struct scratch *s = r->s;
    uint16_t slots[UNKNOWN_SLOTS];
    uint32_t items[LIMIT_QUERY_ITEMS], count = 0, first = s->context_count;
    bool backwards = r->q->surface == SURFACE_SESSION;
    for (uint32_t x = 0; x < r->q->item_count; x++) {
        uint32_t item = index_of_id(r, r->q->items[x]);
        if (item == DICT_NONE)
            add_unknown(r, slots, x);
        else
            items[count++] = item;
    }
    for (uint32_t x = 0; x < count; x++) {
        uint32_t item = items[backwards ? count - 1 - x : x];
        if (s->cells[item].stamp == s->stamp)
            continue;
        mask(r, item);
        add_context(r, item, 1);
    }
    if (backwards)
        turn_round(s->context + first, s->context_count - first);
}

struct deed { /* one line or event of a history */
    uint32_t slot, time_s;
    enum action action;
};

/* The newest one that is left of both lists. False: none is. */
static bool next_deed(const struct shopper *who, uint32_t *lines, uint32_t *events,
                      struct deed *out)
{
    const struct purchase *line = *lines ? &who->lines[*lines - 1] : NULL;
    const struct click *event = *events ? &who->events[*events - 1] : NULL;
    if (!line && !event)
        return false;
    if (line && (!event || line->time_s >= event->time_s)) {
        *out = (struct deed){line->slot, line->time_s, ACTION_PURCHASE};
        --*lines;
    } else {
        *out = (struct deed){event->slot, event->time_s, (enum action)event->kind};
        --*events;
    }
    return true;
}

static bool has(const uint32_t *items, uint32_t count, uint32_t item)
{
    for (uint32_t x = 0; x < count; x++)
        if (items[x] == item)
            return true;
    return false;
}

/* Newest first into the end of a list, then that to the front of the context. Ages count from the
 * newest deed, so that an answer does not change with the clock. */
static void add_history(struct request *r)
{
    const struct event_weights usual = event_weights_default();
    const struct event_weights *weights = r->q->weights ? r->q->weights : &usual;
    const struct shopper *who = r->q->shopper;
    uint32_t lines = who->line_count, events = who->event_count, first = HISTORY_CONTEXT_MAX;
    uint32_t items[HISTORY_CONTEXT_MAX], newest_s = 0;
    float weight[HISTORY_CONTEXT_MAX];
    struct deed deed;
    while (first > 0 && next_deed(who, &lines, &events, &deed)) {
        newest_s = newest_s ? newest_s : deed.time_s;
        uint32_t item = index_of_slot(r, deed.slot);
        const struct event_weight *w =
            &weights->of[deed.action < ACTION_COUNT ? deed.action : ACTION_VIEW];
        double counts = event_weight_at(w, (int64_t)(newest_s - deed.time_s) * 1000);
        if (item == DICT_NONE || !(counts > 0) ||
            has(items + first, HISTORY_CONTEXT_MAX - first, item))
            continue;
        items[--first] = item;
        weight[first] = (float)counts;
    }
    for (uint32_t x = first; x < HISTORY_CONTEXT_MAX; x++)
        add_context(r, items[x], weight[x]);
}

static void mask_bought(struct request *r)
{
    const struct shopper *who = r->q->shopper;
    for (uint32_t x = 0; x < who->line_count; x++) {
        uint32_t item = index_of_slot(r, who->lines[x].slot);
        if (item != DICT_NONE)
            mask(r, item);
    }
}

/* An item of the question that is in the history too counts at its later place, the question's. */
static void drop_repeats(struct request *r, uint32_t history)
{
    struct scratch *s = r->s;
    uint32_t kept = 0;
    for (uint32_t x = 0; x < s->context_count; x++) {
        if (x < history && has(s->context + history, s->context_count - history, s->context[x]))
            continue;
        s->context[kept] = s->context[x];
        s->weight[kept++] = s->weight[x];
    }
    s->context_count = kept;
}

void find_context(struct request *r)
{
    struct scratch *s = r->s;
    bool personal = r->q->surface == SURFACE_PERSONAL && r->q->shopper;
    s->context_count = s->masked_count = s->unknown_count = 0;
    if (personal)
        add_history(r);
    uint32_t history = s->context_count;
    add_items(r);
    if (history)
        drop_repeats(r, history);
    if (personal && !r->q->bought_included)
        mask_bought(r);
    for (uint32_t x = 0; x < r->q->exclude_count; x++) {
        uint32_t item = index_of_id(r, r->q->exclude[x]);
        if (item != DICT_NONE)
            s->excluded[item] = s->stamp;
    }
}
