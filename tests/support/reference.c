#include "reference_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scored {
    uint32_t item;
    float score;
};

static const struct model *sort_model; /* one test at a time */

/* Indices of the model's items, then one for each item of the fresh orders. */
static uint32_t index_count(const struct reference_state *s)
{
    return s->m->item_count + (s->q->fresh ? s->q->fresh->item_count : 0);
}

const struct fresh_item *reference_fresh_of(const struct reference_state *s, uint32_t item)
{
    for (uint32_t x = 0; s->q->fresh && x < s->q->fresh->item_count; x++)
        if (s->q->fresh->items[x].item == item || s->m->item_count + x == item)
            return &s->q->fresh->items[x];
    return NULL;
}

/* False: an index of a fresh item that the model knows, or that has no orders left. */
static bool is_item(const struct reference_state *s, uint32_t item)
{
    if (item < s->m->item_count)
        return true;
    const struct fresh_item *f = &s->q->fresh->items[item - s->m->item_count];
    return f->item == DICT_NONE && f->orders > 0;
}

static uint32_t slot_of(const struct reference_state *s, uint32_t item)
{
    return item < s->m->item_count ? s->m->slot[item] : reference_fresh_of(s, item)->slot;
}

static struct str name_of(const struct reference_state *s, uint32_t item)
{
    return item < s->m->item_count ? dict_name(&s->m->items, item)
                                   : catalog_id(s->c, slot_of(s, item));
}

uint32_t reference_orders_of(const struct reference_state *s, uint32_t item)
{
    const struct fresh_item *f = reference_fresh_of(s, item);
    return (item < s->m->item_count ? s->m->popularity.orders_all[item] : 0) + (f ? f->orders : 0);
}

uint32_t reference_orders_28d_of(const struct reference_state *s, uint32_t item)
{
    const struct fresh_item *f = reference_fresh_of(s, item);
    return (item < s->m->item_count ? s->m->popularity.orders_28d[item] : 0) +
           (f ? f->orders_28d : 0);
}

static uint32_t find_item(const struct reference_state *s, struct str id)
{
    for (uint32_t i = 0; i < index_count(s); i++)
        if (is_item(s, i) && str_eq(name_of(s, i), id))
            return i;
    return UINT32_MAX;
}

bool reference_among(const uint32_t *items, uint32_t count, uint32_t item)
{
    for (uint32_t x = 0; x < count; x++)
        if (items[x] == item)
            return true;
    return false;
}

static void resolve(struct reference_state *s, struct reference *out)
{
    for (uint32_t x = 0; x < s->q->item_count; x++) {
        uint32_t item = find_item(s, s->q->items[x]);
        bool later = false;
        for (uint32_t y = x + 1; y < s->q->item_count; y++)
            later = later || str_eq(s->q->items[x], s->q->items[y]);
        if (item != UINT32_MAX && later && s->q->surface == SURFACE_SESSION)
            continue;
        if (item != UINT32_MAX) {
            if (!reference_among(s->context, s->context_count, item))
                s->context[s->context_count++] = item;
            continue;
        }
        bool repeated = false;
        for (uint32_t y = 0; y < x; y++)
            repeated = repeated || str_eq(s->q->items[x], s->q->items[y]);
        if (!repeated)
            out->unknown[out->answer.unknown_count++] = x;
    }
}

static int by_popularity(uint32_t a, uint32_t b)
{
    const struct popularity *p = &sort_model->popularity;
    uint32_t known = sort_model->item_count;
    if (a >= known || b >= known) /* new ones come last */
        return (a > b) - (a < b);
    if (p->orders_28d[a] != p->orders_28d[b])
        return p->orders_28d[a] > p->orders_28d[b] ? -1 : 1;
    if (p->orders_all[a] != p->orders_all[b])
        return p->orders_all[a] > p->orders_all[b] ? -1 : 1;
    return str_cmp(dict_name(&sort_model->items, a), dict_name(&sort_model->items, b));
}

static enum mix_kind mix_of(const struct reference_state *s)
{
    return s->q->surface == SURFACE_SESSION   ? MIX_SESSION
           : s->q->surface == SURFACE_SIMILAR ? MIX_SIMILAR
                                              : MIX_BASKET;
}

/* What an entry of the item t steps from the end of the context counts; 0: not felt any more. */
float reference_entry_share(const struct reference_state *s, int k, uint32_t t)
{
    const struct mix *mix = &s->m->recipe.mixes[mix_of(s)];
    float left = powf(mix->decay[k], (float)t);
    return left < 1e-3f ? 0 : mix->weight[k] * left;
}

float reference_prior_of(const struct reference_state *s, uint32_t item)
{
    const struct mix *mix = &s->m->recipe.mixes[mix_of(s)];
    const struct popularity *p = &s->m->popularity;
    uint32_t most_all = 1, most_recent = 1;
    if ((mix->popular == 0 && mix->recent == 0) || item >= s->m->item_count)
        return 0;
    for (uint32_t i = 0; i < s->m->item_count; i++) {
        most_all = p->orders_all[i] > most_all ? p->orders_all[i] : most_all;
        most_recent = p->orders_28d[i] > most_recent ? p->orders_28d[i] : most_recent;
    }
    return mix->popular * (float)p->orders_all[item] / (float)most_all +
           mix->recent * (float)p->orders_28d[item] / (float)most_recent;
}

/* Items with more of a prior, or as much of it and more popular. */
static bool among_best_priors(const struct reference_state *s, uint32_t item)
{
    const struct mix *mix = &s->m->recipe.mixes[mix_of(s)];
    if ((mix->popular == 0 && mix->recent == 0) || item >= s->m->item_count)
        return false;
    float own = reference_prior_of(s, item);
    uint32_t before = 0;
    for (uint32_t i = 0; i < s->m->item_count; i++) {
        float other = reference_prior_of(s, i);
        before += other > own || (other == own && by_popularity(i, item) < 0);
    }
    return before < PRIOR_BEST_MAX;
}

uint64_t reference_entry_of(const struct csr *rows, uint32_t i, uint32_t j)
{
    if (i >= rows->rows)
        return UINT64_MAX;
    for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++)
        if (rows->column[e] == j)
            return e;
    return UINT64_MAX;
}

static double shrunk_cosine(double both, double n_a, double n_b)
{
    return both > 0 ? both / sqrt(n_a * n_b) * both / (both + 2) : 0;
}

static uint32_t both_of_rows(const struct reference_state *s, uint32_t i, uint32_t j)
{
    const struct matrix *matrix = &s->m->matrices[MATRIX_ORDERS];
    uint64_t e = reference_entry_of(&matrix->rows, i, j);
    return e == UINT64_MAX ? 0 : matrix->both[e];
}

/* What fresh orders of both add to the carrier's part of the score; 0: too few of them. */
float reference_fresh_share(const struct reference_state *s, uint32_t t, uint32_t item)
{
    uint32_t carrier = s->context[s->context_count - 1 - t];
    const struct fresh_item *a = reference_fresh_of(s, carrier), *b = reference_fresh_of(s, item);
    if (!a || !b || a == b)
        return 0;
    const struct fresh_item *items = s->q->fresh->items;
    uint32_t both = fresh_both(s->q->fresh, (uint32_t)(a - items), (uint32_t)(b - items));
    bool known = a->item != DICT_NONE && b->item != DICT_NONE;
    uint32_t trained = known ? both_of_rows(s, a->item, b->item) : 0;
    if (known && !trained)
        trained = both_of_rows(s, b->item, a->item);
    if (both < (known ? 3 : 1))
        return 0;
    double now = shrunk_cosine((double)trained + both, reference_orders_of(s, carrier),
                               reference_orders_of(s, item));
    double gain = now - shrunk_cosine(trained, a->trained, b->trained);
    float scale = 0;
    for (int k = 0; k < MATRIX_COUNT; k++)
        if (reference_entry_share(s, k, t) > 0)
            scale += reference_entry_share(s, k, t) * s->q->fresh->scale[k];
    return gain > 0 ? scale * (float)gain : 0;
}

/* Splits ["a","b"] into raw names. */
static uint32_t split_path(struct str path, struct str names[16])
{
    uint32_t count = 0;
    for (size_t at = 0; at < path.len && count < 16; at++) {
        if (path.ptr[at] != '"')
            continue;
        size_t begin = ++at;
        for (; path.ptr[at] != '"'; at++)
            if (path.ptr[at] == '\\')
                at++;
        names[count++] = (struct str){path.ptr + begin, at - begin};
    }
    return count;
}

static float nearness(struct str a, struct str b)
{
    struct str x[16], y[16];
    uint32_t m = split_path(a, x), n = split_path(b, y), shared = 0;
    while (shared < m && shared < n && str_eq(x[shared], y[shared]))
        shared++;
    return (float)shared / (float)(m > n ? m : n);
}

static float category_factor(const struct reference_state *s, uint32_t item)
{
    const struct catalog_item *own = catalog_at(s->c, slot_of(s, item));
    float nearest = 0;
    uint32_t seen = 0;
    for (uint32_t x = s->context_count; x > 0 && seen < 8; x--) {
        const struct catalog_item *other = catalog_at(s->c, slot_of(s, s->context[x - 1]));
        if (!other || other->category.len == 0)
            continue;
        seen++;
        if (own && own->category.len && nearness(own->category, other->category) > nearest)
            nearest = nearness(own->category, other->category);
    }
    if (seen == 0)
        return 1;
    return own && own->category.len ? 0.25f + (1 - 0.25f) * nearest : 0.5f;
}

/* False: nothing has the item, or more speaks against it than for it. */
static bool score_item(const struct reference_state *s, uint32_t item, float *score)
{
    bool touched = false;
    *score = reference_prior_of(s, item);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        for (uint32_t t = 0; t < s->context_count; t++) {
            const struct csr *rows = &s->m->matrices[k].rows;
            uint64_t e = reference_entry_of(rows, s->context[s->context_count - 1 - t], item);
            if (e == UINT64_MAX || reference_entry_share(s, k, t) == 0)
                continue;
            touched = true;
            *score += reference_entry_share(s, k, t) * rows->value[e];
        }
    }
    for (uint32_t t = 0; t < s->context_count; t++) {
        float share = reference_fresh_share(s, t, item);
        touched = touched || share > 0;
        *score += share;
    }
    if (item < s->m->item_count && s->neighbours[item] > 0) {
        touched = true;
        *score += s->neighbours[item];
    }
    if ((!touched && !among_best_priors(s, item)) || *score <= 0)
        return false;
    if (s->q->surface == SURFACE_SIMILAR)
        *score *= category_factor(s, item);
    return true;
}

static bool one_of_attributes(const struct catalog_item *item, const struct attribute_filter *f)
{
    bool found = false;
    for (uint32_t x = 0; x < f->value_count; x++)
        found = found || catalog_has_attribute(item, f->key, f->values[x]);
    return found;
}

static enum drop why_not(const struct reference_state *s, uint32_t item)
{
    const struct filter *f = &s->q->filter;
    struct str id = name_of(s, item);
    for (uint32_t x = 0; x < s->q->exclude_count; x++)
        if (str_eq(id, s->q->exclude[x]))
            return DROP_EXCLUDED;
    const struct catalog_item *known = catalog_at(s->c, slot_of(s, item));
    if (!known || !known->available)
        return DROP_UNAVAILABLE;
    bool category = f->category_count == 0;
    for (uint32_t x = 0; x < f->category_count; x++)
        category = category || catalog_in_category(known, f->categories[x]);
    if (!category)
        return DROP_CATEGORY;
    if (f->price_min != PRICE_NONE || f->price_max != PRICE_NONE) {
        int64_t least = f->price_min == PRICE_NONE ? INT64_MIN + 1 : f->price_min;
        int64_t most = f->price_max == PRICE_NONE ? INT64_MAX : f->price_max;
        if (known->price_minor < least || known->price_minor > most)
            return DROP_PRICE;
    }
    if (f->in_stock && known->stock != STOCK_NONE && known->stock <= 0)
        return DROP_IN_STOCK;
    for (uint32_t x = 0; x < f->attribute_count; x++)
        if (!one_of_attributes(known, &f->attributes[x]))
            return DROP_ATTRIBUTES;
    return DROP_COUNT;
}

static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return by_popularity(x->item, y->item);
}

static void take_best(const struct reference_state *s, struct scored *all, uint32_t count,
                      struct reference *out)
{
    qsort(all, count, sizeof *all, compare_scored);
    out->answer.candidates = count;
    memset(out->answer.dropped, 0, sizeof out->answer.dropped);
    for (uint32_t x = 0; x < count && out->answer.count < s->q->limit; x++) {
        enum drop drop = why_not(s, all[x].item);
        if (drop != DROP_COUNT) {
            out->answer.dropped[drop]++;
            continue;
        }
        out->items[out->answer.count++] = (struct suggestion){
            .item = all[x].item, .slot = slot_of(s, all[x].item), .score = all[x].score};
    }
}

static void scores_of_trends(struct reference *out)
{
    for (uint32_t x = 0; x < out->answer.count; x++)
        out->items[x].score = (float)-expm1(-(double)out->items[x].score);
}

static void scores_of_sums(struct reference *out)
{
    for (uint32_t x = 0; x < out->answer.count; x++)
        out->items[x].score = out->items[x].score / (1 + out->items[x].score);
}

/* Trending items are sorted by the trend itself; their score is made of it afterwards. */
static uint32_t list_trending(const struct reference_state *s, struct scored *all)
{
    const struct popularity *p = &s->m->popularity;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->m->item_count; i++)
        if (!reference_among(s->context, s->context_count, i) && p->orders_7d[i] > 0 &&
            p->trend[i] > 0)
            all[count++] = (struct scored){i, p->trend[i]};
    return count;
}

static uint32_t list_popular(const struct reference_state *s, struct scored *all)
{
    uint32_t count = 0;
    double baskets = s->m->basket_count + (s->q->fresh ? s->q->fresh->order_count : 0.0), best = 0;
    for (uint32_t i = 0; i < index_count(s); i++)
        best = is_item(s, i) && reference_orders_28d_of(s, i) > best ? reference_orders_28d_of(s, i)
                                                                     : best;
    for (uint32_t i = 0; i < index_count(s); i++) {
        if (!is_item(s, i) || reference_among(s->context, s->context_count, i))
            continue;
        double all_time = reference_orders_of(s, i) / (baskets + 1);
        all[count++] =
            (struct scored){i, (float)((reference_orders_28d_of(s, i) + all_time) / (best + 1))};
    }
    return count;
}

/* Past visits are heard by the learner's own words: it has a plain reference of its own. */
static void hear_neighbours(struct reference_state *s)
{
    const struct sessionknn *k = &s->m->neighbours;
    float weight = s->m->recipe.mixes[MIX_SESSION].neighbours;
    struct sessionknn_answer answer;
    uint32_t known[LIMIT_QUERY_ITEMS], count = 0;
    s->neighbours = calloc(s->m->item_count + 1, sizeof *s->neighbours);
    s->holders = calloc(s->m->item_count + 1, sizeof *s->holders);
    if (!s->neighbours || !s->holders)
        abort();
    if (s->q->surface != SURFACE_SESSION || !k->start)
        return;
    struct sessionknn_scratch *scratch = sessionknn_scratch_new(k, NULL);
    if (!scratch)
        abort();
    for (uint32_t x = 0; x < s->context_count; x++)
        if (s->context[x] < s->m->item_count)
            known[count++] = s->context[x];
    sessionknn_ask(k, known, count, scratch, &answer);
    for (uint32_t i = 0; i < s->m->item_count; i++) {
        s->neighbours[i] = answer.count ? weight * answer.score[i] / answer.most : 0;
        sessionknn_holders(k, scratch, &i, 1, &s->holders[i]);
    }
    sessionknn_scratch_free(scratch);
}

void reference_recommend(const struct model *m, const struct catalog *c, const struct query *q,
                         struct reference *out)
{
    struct reference_state *s = calloc(1, sizeof *s);
    struct scored *all = calloc(m->item_count + (q->fresh ? q->fresh->item_count : 0), sizeof *all);
    if (!s || !all) {
        fprintf(stderr, "reference: out of memory\n");
        abort();
    }
    *s = (struct reference_state){.m = m, .c = c, .q = q};
    sort_model = m;
    memset(out, 0, sizeof *out);
    out->answer.surface = q->surface;
    resolve(s, out);
    hear_neighbours(s);
    bool needs_context = q->surface == SURFACE_BASKET || q->surface == SURFACE_SIMILAR ||
                         q->surface == SURFACE_SESSION;
    uint32_t count = 0;
    if (needs_context)
        for (uint32_t i = 0; i < index_count(s); i++)
            if (is_item(s, i) && !reference_among(s->context, s->context_count, i) &&
                score_item(s, i, &all[count].score))
                all[count++].item = i;
    if (!needs_context)
        count = q->surface == SURFACE_TRENDING ? list_trending(s, all) : list_popular(s, all);
    take_best(s, all, count, out);
    if (q->surface == SURFACE_TRENDING)
        scores_of_trends(out);
    if (needs_context)
        scores_of_sums(out);
    if (needs_context && q->item_count == 0)
        out->answer.fallback = FALLBACK_EMPTY_CONTEXT;
    else if (needs_context && s->context_count == 0)
        out->answer.fallback = FALLBACK_UNKNOWN_CONTEXT;
    else if (q->surface == SURFACE_REBUY ||
             q->surface == SURFACE_PERSONAL) /* nobody's: histories have tests of their own */
        out->answer.fallback = FALLBACK_UNKNOWN_USER;
    else if (q->surface != SURFACE_POPULAR && out->answer.count == 0)
        out->answer.fallback = FALLBACK_NO_CANDIDATES;
    enum surface answered = q->surface;
    if (out->answer.fallback != FALLBACK_NONE) {
        answered = SURFACE_POPULAR;
        out->answer.count = 0;
        take_best(s, all, list_popular(s, all), out);
    }
    if (q->explain)
        reference_explain(s, answered, out);
    out->answer.items = out->items;
    out->answer.unknown = out->unknown;
    free(all);
    free(s->neighbours);
    free(s->holders);
    free(s);
}
