/* Orders are counted before anything else, as ages count from the newest. Vectors are summed in a
 * dense array with a list of what was touched. The nearest shoppers are those with the least
 * |v|^2 - 2 u.v; the products are taken over the postings of u's items, so that shoppers who share
 * nothing cost one comparison. */
#include "learn/nextbasket.h"

#include "base/mem.h"
#include "base/topk.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct history history_of(const struct histories *h, uint32_t row)
{
    uint64_t begin = h->start[row];
    return (struct history){h->item + begin, h->time_ms + begin, h->start[row + 1] - begin};
}

static uint32_t count_orders(const struct history *of)
{
    uint32_t orders = 0;
    for (uint64_t x = 0; x < of->count; x++)
        orders += x == 0 || of->time_ms[x] != of->time_ms[x - 1];
    return orders;
}

/* A vector being summed. */
struct sum {
    double *value;     /* [items] zero where nothing was added */
    uint32_t *touched; /* [items] room */
    uint32_t count;
};

struct tifu_scratch {
    struct sum own;
    double *nearness; /* [shoppers] |v|^2 - 2 u.v */
    double *mean;     /* [items] */
    struct topk_entry *nearest;
};

static bool sum_init(struct sum *s, uint32_t items)
{
    MEM_ZNEW(s->value, items);
    MEM_NEW(s->touched, items);
    return s->value && s->touched;
}

static void sum_deinit(struct sum *s)
{
    free(s->value);
    free(s->touched);
}

static void sum_clear(struct sum *s)
{
    for (uint32_t x = 0; x < s->count; x++)
        s->value[s->touched[x]] = 0;
    s->count = 0;
}

/* What an item of the shopper's order `order` (0 the oldest of `orders`) counts. With fewer orders
 * than groups each is a group of its own; else the first groups have `base` orders and the last
 * ones, where they do not come out even, one more. */
static double order_weight(const struct tifu_params *p, uint32_t orders, uint32_t order)
{
    uint32_t group, size, groups = p->groups;
    assert(groups > 0);
    if (orders < groups) {
        group = order;
        size = 1;
        groups = orders;
    } else {
        uint32_t base = orders / groups, larger = orders % groups;
        uint32_t even = (groups - larger) * base; /* orders in groups of `base` */
        group = order < even ? order / base : groups - larger + (order - even) / (base + 1);
        size = order < even ? base : base + 1;
    }
    return pow(p->within_decay, orders - 1.0 - order) *
           pow(p->group_decay, p->groups - 1.0 - group) / ((double)size * groups);
}

static void sum_history(const struct tifu_params *p, const struct history *of, struct sum *s)
{
    uint32_t orders = count_orders(of), order = 0;
    double weight = orders ? order_weight(p, orders, 0) : 0;
    for (uint64_t x = 0; x < of->count; x++) {
        if (x > 0 && of->time_ms[x] != of->time_ms[x - 1])
            weight = order_weight(p, orders, ++order);
        if (weight == 0) /* too old for a double */
            continue;
        if (s->value[of->item[x]] == 0)
            s->touched[s->count++] = of->item[x];
        s->value[of->item[x]] += weight;
    }
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void put_vector(struct tifu *t, uint32_t row, struct sum *s)
{
    uint64_t at = t->vectors.start[row];
    qsort(s->touched, s->count, sizeof *s->touched, ascending);
    t->norm2[row] = 0;
    for (uint32_t x = 0; x < s->count; x++, at++) {
        float value = (float)s->value[s->touched[x]];
        t->vectors.column[at] = s->touched[x];
        t->vectors.value[at] = value;
        t->norm2[row] += (double)value * value;
    }
    t->vectors.start[row + 1] = at;
    sum_clear(s);
}

static int set_params(struct tifu_params *to, const struct tifu_params *from, struct error *err)
{
    struct tifu_params p = from ? *from : (struct tifu_params){0};
    p.neighbours = p.neighbours ? p.neighbours : 300;
    p.groups = p.groups ? p.groups : 7;
    p.within_decay = p.within_decay != 0 ? p.within_decay : 0.9;
    p.group_decay = p.group_decay != 0 ? p.group_decay : 0.7;
    p.alpha = p.alpha != 0 ? p.alpha : 0.7;
    *to = p;
    if (!(p.within_decay > 0 && p.within_decay <= 1 && p.group_decay > 0 && p.group_decay <= 1))
        return error_set(err, ERR_INVALID, "TIFU-KNN: a decay is not in (0,1]");
    if (!(p.alpha > 0 && p.alpha <= 1))
        return error_set(err, ERR_INVALID, "TIFU-KNN: alpha is not in (0,1]");
    return 0;
}

int tifu_build(const struct histories *h, const struct tifu_params *params, struct tifu *out,
               struct error *err)
{
    struct tifu t = {0};
    struct sum sum = {0};
    int rc = set_params(&t.params, params, err);
    if (rc)
        return rc;
    if (h->count && t.params.neighbours > h->count)
        t.params.neighbours = h->count;
    rc = csr_alloc(&t.vectors, h->count, h->item_count, h->start[h->count], 1, err);
    if (rc)
        return rc;
    if (!sum_init(&sum, h->item_count) || !MEM_NEW(t.norm2, h->count)) {
        rc = error_set(err, ERR_NOMEM, "TIFU-KNN: out of memory");
    } else {
        for (uint32_t row = 0; row < h->count; row++) {
            struct history of = history_of(h, row);
            sum_history(&t.params, &of, &sum);
            put_vector(&t, row, &sum);
        }
        rc = csr_transpose(&t.vectors, &t.postings, err);
    }
    sum_deinit(&sum);
    if (rc)
        tifu_deinit(&t);
    else
        *out = t;
    return rc;
}

void tifu_deinit(struct tifu *t)
{
    csr_deinit(&t->vectors);
    csr_deinit(&t->postings);
    free(t->norm2);
    *t = (struct tifu){0};
}

struct tifu_scratch *tifu_scratch_new(const struct tifu *t, struct error *err)
{
    struct tifu_scratch *s;
    if (MEM_ZNEW(s, 1)) {
        MEM_NEW(s->nearness, t->vectors.rows);
        MEM_NEW(s->mean, t->vectors.cols);
        MEM_NEW(s->nearest, t->params.neighbours);
        if (sum_init(&s->own, t->vectors.cols) && s->nearness && s->mean && s->nearest)
            return s;
    }
    tifu_scratch_free(s);
    error_set(err, ERR_NOMEM, "TIFU-KNN: out of memory");
    return NULL;
}

void tifu_scratch_free(struct tifu_scratch *s)
{
    if (!s)
        return;
    sum_deinit(&s->own);
    free(s->nearness);
    free(s->mean);
    free(s->nearest);
    free(s);
}

static uint32_t find_nearest(const struct tifu *t, struct tifu_scratch *s)
{
    struct topk best;
    memcpy(s->nearness, t->norm2, t->vectors.rows * sizeof *s->nearness);
    for (uint32_t x = 0; x < s->own.count; x++) {
        uint32_t item = s->own.touched[x];
        double twice = 2 * (double)(float)s->own.value[item];
        for (uint64_t e = t->postings.start[item]; e < t->postings.start[item + 1]; e++)
            s->nearness[t->postings.column[e]] -= twice * t->postings.value[e];
    }
    topk_init(&best, s->nearest, t->params.neighbours);
    for (uint32_t u = 0; u < t->vectors.rows; u++)
        topk_offer(&best, u, -(float)s->nearness[u], u);
    return best.count;
}

void tifu_scores(const struct tifu *t, const struct history *of, struct tifu_scratch *s,
                 float *score)
{
    uint32_t items = t->vectors.cols;
    sum_history(&t->params, of, &s->own);
    uint32_t found = find_nearest(t, s);
    memset(s->mean, 0, items * sizeof *s->mean);
    for (uint32_t x = 0; x < found; x++) {
        uint32_t u = s->nearest[x].item;
        for (uint64_t e = t->vectors.start[u]; e < t->vectors.start[u + 1]; e++)
            s->mean[t->vectors.column[e]] += t->vectors.value[e];
    }
    double others = found ? (1 - t->params.alpha) / found : 0;
    for (uint32_t i = 0; i < items; i++)
        score[i] = (float)(t->params.alpha * s->own.value[i] + others * s->mean[i]);
    sum_clear(&s->own);
}
