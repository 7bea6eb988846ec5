/* What an order adds to the counts, and takes from them when it goes: per item, per pair, and each
 * item's partners. */
#include "fresh_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS (28 * 24 * 3600 * 1000LL)
#define SHRINK    2.0 /* orders: one together counts a third of its cosine, ten five sixths */

uint32_t fresh_find(const struct fresh *f, uint32_t slot)
{
    return slot < f->slot_cap ? f->of_slot[slot] : FRESH_NONE;
}

static void count_item(struct fresh *f, uint32_t x, int step, bool recent)
{
    struct fresh_item *item = &f->items[x];
    fresh_rank_remove(f, x);
    item->orders += (uint32_t)step;
    item->orders_28d += recent ? (uint32_t)step : 0;
    if (item->trained == 0 && item->orders == (step > 0))
        f->new_count += (uint32_t)step;
    fresh_rank_add(f, x);
}

static bool cover_slot(struct fresh *f, uint32_t slot)
{
    if (slot < f->slot_cap)
        return true;
    size_t cap = mem_grow(f->slot_cap, (size_t)slot + 1);
    uint32_t *of_slot = mem_resize(f->of_slot, cap, sizeof *of_slot);
    if (!of_slot)
        return false;
    memset(of_slot + f->slot_cap, 0xFF, (cap - f->slot_cap) * sizeof *of_slot);
    f->of_slot = of_slot;
    f->slot_cap = cap;
    return true;
}

static bool cover_item(struct fresh *f)
{
    if (f->item_count < f->item_cap)
        return true;
    size_t cap = mem_grow(f->item_cap, (size_t)f->item_count + 64);
    struct fresh_item *items = mem_resize(f->items, cap, sizeof *items);
    if (!items)
        return false;
    f->items = items;
    void *next = mem_resize(f->next, cap, sizeof *f->next);
    if (!next)
        return false;
    f->next = next;
    f->item_cap = cap;
    return true;
}

/* The item that has the slot, added when new. FRESH_NONE: out of memory. */
uint32_t fresh_item_of_slot(struct fresh *f, uint32_t slot)
{
    if (!cover_slot(f, slot))
        return FRESH_NONE;
    if (f->of_slot[slot] != FRESH_NONE)
        return f->of_slot[slot];
    if (!cover_item(f))
        return FRESH_NONE;
    const struct popularity *p = &f->model->popularity;
    uint32_t x = f->item_count, item = model_item_of_slot(f->model, slot);
    f->items[x] = (struct fresh_item){.slot = slot, .item = item};
    if (item != DICT_NONE) {
        f->items[x].trained = p->orders_all[item];
        f->items[x].trained_28d = p->orders_28d[item];
    }
    f->item_count++;
    fresh_rank_add(f, x);
    return f->of_slot[slot] = x;
}

static uint32_t evidence(const struct matrix *matrix, uint32_t i, uint32_t j)
{
    const struct csr *rows = &matrix->rows;
    for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++)
        if (rows->column[e] == j)
            return matrix->both[e];
    return 0;
}

static uint32_t trained_both(const struct fresh *f, uint32_t a, uint32_t b)
{
    uint32_t i = f->items[a].item, j = f->items[b].item;
    if (i == DICT_NONE || j == DICT_NONE)
        return 0;
    const struct matrix *of_orders = &f->model->matrices[MATRIX_ORDERS];
    uint32_t both = evidence(of_orders, i, j);
    return both ? both : evidence(of_orders, j, i);
}

static uint32_t least_both(const struct fresh *f, uint32_t a, uint32_t b)
{
    bool known = f->items[a].item != DICT_NONE && f->items[b].item != DICT_NONE;
    return known ? FRESH_MIN_BOTH : 1;
}

static struct fresh_partner *partner_of(const struct fresh_item *item, uint32_t other)
{
    for (uint32_t x = 0; x < item->partner_count; x++)
        if (item->partners[x].other == other)
            return &item->partners[x];
    return NULL;
}

/* Squared cosine but for the factor that all partners of one item share. */
static double telling(const struct fresh *f, uint32_t other, uint32_t both)
{
    const struct fresh_item *o = &f->items[other];
    return (double)both * both / ((double)o->trained + o->orders);
}

/* Where a new partner may be written; NULL: all that are there tell more. */
static struct fresh_partner *room_among(const struct fresh *f, struct fresh_item *item,
                                        uint32_t other, uint32_t both)
{
    if (item->partner_count < FRESH_PARTNERS)
        return &item->partners[item->partner_count++];
    struct fresh_partner *least = NULL;
    double least_telling = telling(f, other, both);
    for (uint32_t x = 0; x < item->partner_count; x++) {
        double t = telling(f, item->partners[x].other, item->partners[x].both);
        if (t < least_telling) {
            least_telling = t;
            least = &item->partners[x];
        }
    }
    return least;
}

static int set_partner(struct fresh *f, uint32_t a, uint32_t b, uint32_t both, struct error *err)
{
    struct fresh_item *item = &f->items[a];
    struct fresh_partner *partner = partner_of(item, b);
    if (partner) {
        partner->both = both;
        return 0;
    }
    if (item->partner_count == item->partner_cap && item->partner_cap < FRESH_PARTNERS) {
        uint16_t cap = item->partner_cap ? item->partner_cap * 2 : 2;
        void *partners = mem_resize(item->partners, cap, sizeof *item->partners);
        if (!partners)
            return error_set(err, ERR_NOMEM, "fresh orders: out of memory");
        item->partners = partners;
        item->partner_cap = cap;
    }
    partner = room_among(f, item, b, both);
    if (partner)
        *partner = (struct fresh_partner){b, both, trained_both(f, a, b)};
    return 0;
}

static void drop_partner(struct fresh *f, uint32_t a, uint32_t b)
{
    struct fresh_item *item = &f->items[a];
    struct fresh_partner *partner = partner_of(item, b);
    if (partner)
        *partner = item->partners[--item->partner_count];
}

/* Lists that have the pair follow; one that had no room for it is tried again as it grows. */
static int count_pair(struct fresh *f, uint32_t a, uint32_t b, int step, struct error *err)
{
    uint32_t both = fresh_pairs_add(f, a, b, step);
    if (both < least_both(f, a, b)) {
        if (step < 0) {
            drop_partner(f, a, b);
            drop_partner(f, b, a);
        }
        return 0;
    }
    if (step < 0) {
        struct fresh_partner *here = partner_of(&f->items[a], b);
        struct fresh_partner *there = partner_of(&f->items[b], a);
        if (here)
            here->both = both;
        if (there)
            there->both = both;
        return 0;
    }
    int rc = set_partner(f, a, b, both, err);
    return rc ? rc : set_partner(f, b, a, both, err);
}

int fresh_count_order(struct fresh *f, const struct fresh_order *order, int step, struct error *err)
{
    const uint32_t *lines = f->lines + order->first;
    bool recent = f->model->popularity.now_ms - order->time_ms < WINDOW_MS;
    for (uint32_t x = 0; x < order->count; x++)
        count_item(f, lines[x], step, recent);
    if (order->count > FRESH_PAIR_ITEMS)
        return 0;
    int rc = 0;
    for (uint32_t x = 1; x < order->count && rc == 0; x++)
        for (uint32_t y = 0; y < x && rc == 0; y++)
            rc = count_pair(f, lines[y], lines[x], step, err);
    return rc;
}

double fresh_cosine(double both, double n_a, double n_b)
{
    return both > 0 ? both / sqrt(n_a * n_b) * both / (both + SHRINK) : 0;
}

float fresh_gain(const struct fresh *f, const struct fresh_item *item,
                 const struct fresh_partner *partner)
{
    const struct fresh_item *other = &f->items[partner->other];
    double now =
        fresh_cosine((double)partner->trained + partner->both, (double)item->trained + item->orders,
                     (double)other->trained + other->orders);
    double before = fresh_cosine(partner->trained, item->trained, other->trained);
    return now > before ? (float)(now - before) : 0;
}
