#include "reference_internal.h"

#include <math.h>
#include <string.h>

#define RULE_ITEMS 50

static float wilson(double hits, double trials)
{
    double z = 1.959963984540054, n = trials, p = hits / n;
    double middle = p + z * z / (2 * n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (float)((middle - half) / (1 + z * z / n));
}

static bool reference_rule_subset(const struct rules *r, uint32_t rule, const uint32_t *items,
                                  uint32_t count)
{
    for (uint64_t e = r->start[rule]; e < r->start[rule + 1]; e++)
        if (!reference_among(items, count, r->antecedent[e]))
            return false;
    return true;
}

/* No shorter rule inside this one is as strong. */
static bool undominated(const struct rules *r, uint32_t rule)
{
    uint32_t length = (uint32_t)(r->start[rule + 1] - r->start[rule]);
    float strength = wilson(r->both[rule], r->body[rule]);
    for (uint32_t x = 0; x < r->count; x++)
        if (x != rule && r->consequent[x] == r->consequent[rule] &&
            r->start[x + 1] - r->start[x] < length &&
            reference_rule_subset(r, x, r->antecedent + r->start[rule], length) &&
            wilson(r->both[x], r->body[x]) >= strength)
            return false;
    return true;
}

/* The strongest rule from the context to the item that the carrier is part of; UINT32_MAX: none. */
static uint32_t strongest_rule(const struct reference_state *s, uint32_t item, uint32_t carrier)
{
    const struct rules *r = &s->m->rules;
    uint32_t count = s->context_count < RULE_ITEMS ? s->context_count : RULE_ITEMS;
    const uint32_t *items = s->context + s->context_count - count;
    uint32_t best = UINT32_MAX;
    float most = 0;
    for (uint32_t x = 0; x < r->count; x++) {
        uint32_t length = (uint32_t)(r->start[x + 1] - r->start[x]);
        if (r->consequent[x] != item || !reference_rule_subset(r, x, items, count) ||
            !undominated(r, x) || !reference_among(r->antecedent + r->start[x], length, carrier))
            continue;
        float strength = wilson(r->both[x], r->body[x]);
        if (strength > most) {
            most = strength;
            best = x;
        }
    }
    return best;
}

static void because_rule(const struct reference_state *s, uint32_t rule, struct because *b)
{
    const struct rules *r = &s->m->rules;
    *b = (struct because){.kind = BECAUSE_RULE, .source = "rule"};
    for (uint64_t e = r->start[rule]; e < r->start[rule + 1]; e++)
        b->items[b->item_count++] = r->antecedent[e];
    b->count = r->both[rule];
}

static void because_popular(const struct reference_state *s, uint32_t item, struct because *b)
{
    uint32_t recent = reference_orders_28d_of(s, item);
    *b = (struct because){.kind = BECAUSE_POPULAR,
                          .source = recent ? "orders_28d" : "orders_all",
                          .count = recent ? recent : reference_orders_of(s, item)};
}

/* Fresh orders with both; 0 without fresh orders. */
static uint32_t fresh_count(const struct reference_state *s, uint32_t i, uint32_t j)
{
    const struct fresh_item *a = reference_fresh_of(s, i), *b = reference_fresh_of(s, j);
    if (!a || !b)
        return 0;
    return fresh_both(s->q->fresh, (uint32_t)(a - s->q->fresh->items),
                      (uint32_t)(b - s->q->fresh->items));
}

/* The entry that adds the most to the score, more than popularity does; none: popular. */
static void because_carrier(const struct reference_state *s, uint32_t item, struct because *b)
{
    float most = reference_prior_of(s, item);
    because_popular(s, item, b);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        for (uint32_t t = 0; t < s->context_count; t++) {
            const struct matrix *matrix = &s->m->matrices[k];
            uint32_t carrier = s->context[s->context_count - 1 - t];
            uint64_t e = reference_entry_of(&matrix->rows, carrier, item);
            if (e == UINT64_MAX || reference_entry_share(s, k, t) * matrix->rows.value[e] <= most)
                continue;
            most = reference_entry_share(s, k, t) * matrix->rows.value[e];
            *b = (struct because){
                .kind = k == MATRIX_NEXT || k == MATRIX_VISITS ? BECAUSE_AFTER : BECAUSE_NEIGHBOUR,
                .items = {carrier},
                .item_count = 1,
                .count =
                    matrix->both[e] +
                    (k == MATRIX_ORDERS || k == MATRIX_ALIKE ? fresh_count(s, carrier, item) : 0),
                .source = matrix_name((enum matrix_kind)k)};
            if (matrix->both[e] > 0)
                continue;
            b->kind = BECAUSE_TASTE;
            b->source = "buyers";
            b->count = s->m->buyers[item];
        }
    }
    for (uint32_t t = 0; t < s->context_count; t++) {
        uint32_t carrier = s->context[s->context_count - 1 - t];
        if (reference_fresh_share(s, t, item) <= most)
            continue;
        most = reference_fresh_share(s, t, item);
        *b = (struct because){.kind = BECAUSE_NEIGHBOUR,
                              .items = {carrier},
                              .item_count = 1,
                              .count = fresh_count(s, carrier, item),
                              .source = "fresh"};
    }
    if (item < s->m->item_count && s->neighbours[item] > most)
        *b = (struct because){
            .kind = BECAUSE_VISITS, .source = "neighbours", .count = s->holders[item]};
}

static void because_context(const struct reference_state *s, uint32_t item, struct because *b)
{
    because_carrier(s, item, b);
    if (s->q->surface != SURFACE_BASKET || b->kind == BECAUSE_POPULAR)
        return;
    uint32_t rule = strongest_rule(s, item, b->items[0]);
    if (rule != UINT32_MAX)
        because_rule(s, rule, b);
}

void reference_explain(const struct reference_state *s, enum surface answered,
                       struct reference *out)
{
    for (uint32_t x = 0; x < out->answer.count; x++) {
        uint32_t item = out->items[x].item;
        struct because *b = &out->items[x].because;
        const struct popularity *p = &s->m->popularity;
        if (answered == SURFACE_BASKET || answered == SURFACE_SIMILAR ||
            answered == SURFACE_SESSION)
            because_context(s, item, b);
        else if (answered == SURFACE_TRENDING)
            *b = (struct because){
                .kind = BECAUSE_TREND, .source = "orders_7d", .count = p->orders_7d[item]};
        else
            because_popular(s, item, b);
    }
}
