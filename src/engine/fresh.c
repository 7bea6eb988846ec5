/* A list of orders by key. An order is taken back by counting its items down again, so dropping,
 * cancelling and replacing are one thing. */
#include "fresh_internal.h"

#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TIDY_FROM 4096u /* lines or orders that are gone, and no fewer than are there */

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "fresh orders: out of memory");
}

/* How large a row's largest weight is for its cosine, on average over all sales: what is learnt is
 * on a scale of its own, which differs from recipe to recipe. What comes after an item is not told
 * by orders that have both. Without rows the scale is that of the cosine. */
static float scale_of(const struct model *m, enum matrix_kind kind)
{
    const struct matrix *s = &m->matrices[kind];
    bool of_shoppers = kind == MATRIX_SHOPPERS;
    const uint32_t *counts = of_shoppers ? m->buyers : m->popularity.orders_all;
    double weights = 0, cosines = 0;
    if (kind == MATRIX_NEXT || kind == MATRIX_VISITS)
        return 0;
    for (uint32_t i = 0; i < m->item_count; i++) {
        uint64_t e = s->rows.start[i];
        if (e == s->rows.start[i + 1])
            continue;
        weights += counts[i] * (double)s->rows.value[e];
        cosines += counts[i] * fresh_cosine(s->both[e], counts[i], counts[s->rows.column[e]]);
    }
    return cosines > 0 && weights > 0 ? (float)(weights / cosines) : 1;
}

struct fresh *fresh_new(struct model *m, const struct fresh_limits *limits, struct error *err)
{
    struct fresh *f;
    if (!MEM_ZNEW(f, 1)) {
        out_of_memory(err);
        return NULL;
    }
    f->model = model_ref(m);
    f->limits = limits ? *limits : (struct fresh_limits){0};
    if (!f->limits.orders)
        f->limits.orders = LIMIT_FRESH_ORDERS;
    if (!f->limits.lines)
        f->limits.lines = LIMIT_FRESH_LINES;
    if (!f->limits.pairs)
        f->limits.pairs = LIMIT_FRESH_PAIRS;
    f->floor = m->newest_order;
    fresh_rank_clear(f);
    for (int k = 0; k < MATRIX_COUNT; k++)
        f->scale[k] = scale_of(m, (enum matrix_kind)k);
    if (fresh_pairs_init(f))
        return f;
    fresh_free(f);
    out_of_memory(err);
    return NULL;
}

void fresh_clear(struct fresh *f)
{
    for (uint32_t x = 0; x < f->item_count; x++)
        free(f->items[x].partners);
    if (f->of_slot)
        memset(f->of_slot, 0xFF, f->slot_cap * sizeof *f->of_slot);
    memset(f->pairs, 0, f->pair_cap * sizeof *f->pairs);
    f->item_count = f->new_count = f->pair_count = 0;
    f->order_begin = f->order_end = f->order_count = 0;
    f->line_end = f->line_count = 0;
    f->floor = f->model->newest_order;
    fresh_rank_clear(f);
}

void fresh_free(struct fresh *f)
{
    if (!f)
        return;
    for (uint32_t x = 0; x < f->item_count; x++)
        free(f->items[x].partners);
    free(f->items);
    free(f->of_slot);
    free(f->next);
    free(f->orders);
    free(f->lines);
    free(f->pairs);
    model_unref(f->model);
    free(f);
}

/* Where the order with the key is, or would be. */
static uint32_t place_of(const struct fresh *f, uint64_t key)
{
    uint32_t low = f->order_begin, high = f->order_end;
    if (high > low && f->orders[high - 1].key < key)
        return high; /* a new one, mostly */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (f->orders[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_back(struct fresh *f, struct fresh_order *order)
{
    if (!order->count)
        return;
    int rc = fresh_count_order(f, order, -1, NULL);
    assert(rc == 0); /* it takes no memory */
    (void)rc;
    f->order_count--;
    f->line_count -= order->count;
    order->count = 0;
}

static void tidy_orders(struct fresh *f)
{
    uint32_t end = 0;
    for (uint32_t x = f->order_begin; x < f->order_end; x++)
        if (f->orders[x].count)
            f->orders[end++] = f->orders[x];
    f->order_begin = 0;
    f->order_end = end;
}

static void tidy_lines(struct fresh *f)
{
    uint32_t end = 0, *lines;
    if (!MEM_NEW(lines, f->line_count + TIDY_FROM))
        return; /* another time */
    for (uint32_t x = f->order_begin; x < f->order_end; x++) {
        struct fresh_order *order = &f->orders[x];
        memcpy(lines + end, f->lines + order->first, order->count * sizeof *lines);
        order->first = end;
        end += order->count;
    }
    free(f->lines);
    f->lines = lines;
    f->line_cap = f->line_count + TIDY_FROM;
    f->line_end = end;
}

/* Orders that are gone, and lines that nobody has, make room. */
static void tidy(struct fresh *f)
{
    uint32_t gone = f->order_end - f->order_count, unused = f->line_end - f->line_count;
    if (gone >= TIDY_FROM && gone >= f->order_count)
        tidy_orders(f);
    if (unused >= TIDY_FROM && unused >= f->line_count)
        tidy_lines(f);
}

static void drop_oldest(struct fresh *f)
{
    while (f->order_begin < f->order_end && !f->orders[f->order_begin].count)
        f->order_begin++;
    struct fresh_order *oldest = &f->orders[f->order_begin];
    f->floor = oldest->key;
    f->dropped++;
    take_back(f, oldest);
    f->order_begin++;
}

static void hold_limits(struct fresh *f)
{
    while (f->order_count > 1 &&
           (f->order_count > f->limits.orders || f->line_count > f->limits.lines ||
            f->pair_count > f->limits.pairs))
        drop_oldest(f);
    tidy(f);
}

/* For one order more and its lines. */
static bool make_room(struct fresh *f, uint32_t lines)
{
    size_t need = (size_t)f->line_end + lines;
    if (f->order_end == f->order_cap) {
        size_t cap = mem_grow(f->order_cap, (size_t)f->order_end + 64);
        struct fresh_order *orders = mem_resize(f->orders, cap, sizeof *orders);
        if (!orders)
            return false;
        f->orders = orders;
        f->order_cap = cap;
    }
    if (need > f->line_cap) {
        size_t cap = mem_grow(f->line_cap, need);
        uint32_t *at = mem_resize(f->lines, cap, sizeof *at);
        if (!at)
            return false;
        f->lines = at;
        f->line_cap = cap;
    }
    return true;
}

static int add_order(struct fresh *f, struct fresh_order *order, const uint32_t *slots,
                     uint32_t count, struct error *err)
{
    order->first = f->line_end;
    for (uint32_t x = 0; x < count; x++) {
        uint32_t item = fresh_item_of_slot(f, slots[x]);
        if (item == FRESH_NONE)
            return out_of_memory(err);
        f->lines[f->line_end++] = item;
    }
    order->count = count;
    f->order_count++;
    f->line_count += count;
    return fresh_count_order(f, order, 1, err);
}

int fresh_put(struct fresh *f, uint64_t key, int64_t time_ms, const uint32_t *slots, uint32_t count,
              struct error *err)
{
    if (key <= f->floor)
        return 0;
    fresh_remove(f, key);
    if (count == 0 || (f->limits.max_order_items && count > f->limits.max_order_items))
        return 0;
    if (!make_room(f, count))
        return out_of_memory(err);
    uint32_t at = place_of(f, key);
    if (at == f->order_end || f->orders[at].key != key) {
        memmove(f->orders + at + 1, f->orders + at, (f->order_end - at) * sizeof *f->orders);
        f->order_end++;
    }
    f->orders[at] = (struct fresh_order){.key = key, .time_ms = time_ms};
    int rc = add_order(f, &f->orders[at], slots, count, err);
    if (rc == 0)
        hold_limits(f);
    return rc;
}

void fresh_remove(struct fresh *f, uint64_t key)
{
    uint32_t at = place_of(f, key);
    if (at < f->order_end && f->orders[at].key == key)
        take_back(f, &f->orders[at]);
}

void fresh_expire(struct fresh *f, int64_t before_ms)
{
    for (uint32_t x = f->order_begin; x < f->order_end; x++)
        if (f->orders[x].time_ms < before_ms)
            take_back(f, &f->orders[x]);
    tidy(f);
}

size_t fresh_bytes(const struct fresh *f)
{
    size_t bytes = sizeof *f + f->item_cap * (sizeof *f->items + sizeof *f->next) +
                   f->slot_cap * sizeof *f->of_slot + f->order_cap * sizeof *f->orders +
                   f->line_cap * sizeof *f->lines + f->pair_cap * sizeof *f->pairs;
    for (uint32_t x = 0; x < f->item_count; x++)
        bytes += f->items[x].partner_cap * sizeof *f->items[x].partners;
    return bytes;
}
