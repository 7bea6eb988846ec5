/* Why an item was suggested, in numbers a person can recount. The strongest rule was found while
 * candidates were gathered. The strongest neighbour is found by going over the context's rows once
 * more, looking only at answered items: as cheap as gathering was, however many are answered. By
 * then the cells' scores have served; an answered item's cell holds its place instead. */
#include "recommend_internal.h"

#include <string.h>

static void set_measures(struct because *b, const struct measures *x)
{
    b->support = x->support;
    b->confidence = x->confidence;
    b->lift = x->lift;
}

static void explain_rule(const struct request *r, uint32_t item, struct because *b)
{
    const struct scratch *s = r->s;
    uint32_t at = s->rule_at[item];
    if (at >= s->ruled_count || s->ruled[at].item != item)
        return;
    const struct rules *rules = &r->m->rules;
    uint32_t rule = r->m->strong.index[s->ruled[at].strong];
    b->kind = BECAUSE_RULE;
    b->source = "rule";
    b->item_count = (uint32_t)(rules->start[rule + 1] - rules->start[rule]);
    memcpy(b->items, rules->antecedent + rules->start[rule], b->item_count * sizeof *b->items);
    b->count = rules->both[rule];
    struct measures x;
    rules_measures(rules, rule, 0, &x);
    set_measures(b, &x);
}

/* Scores are never negative: place x of the answer is kept as -1 - x. */
static float place_mark(uint32_t x)
{
    return -1.0f - (float)x;
}

static uint32_t marked_place(float mark)
{
    return (uint32_t)(-mark) - 1;
}

static void measure_neighbour(const struct model *m, struct suggestion *suggestion)
{
    struct because *b = &suggestion->because;
    struct measures x;
    measures_of(m->basket_count, m->popularity.orders_all[b->items[0]],
                m->popularity.orders_all[suggestion->item], b->count, 0, &x);
    set_measures(b, &x);
}

/* The neighbours among `row`'s entries that contribute more than any before. Pairs no order ever
 * had (an embedding may see them) come after all others: contributions are below 1. */
static void explain_by_row(struct request *r, enum source_kind kind, uint32_t row, float *greatest)
{
    const struct source *source = &r->m->sources[kind];
    const struct csr *rows = &source->rows;
    float weight = surface_weight(source, r->q->surface);
    for (uint64_t e = rows->start[row]; e < rows->start[row + 1]; e++) {
        float mark = r->s->cells[rows->column[e]].score;
        if (mark >= 0)
            continue;
        uint32_t place = marked_place(mark);
        struct because *b = &r->s->items[place].because;
        float contribution = weight * rows->value[e];
        if (b->kind == BECAUSE_RULE || contribution <= greatest[place])
            continue;
        greatest[place] = contribution;
        b->kind = BECAUSE_NEIGHBOUR;
        b->source = source_name(kind);
        b->items[0] = row;
        b->item_count = 1;
        b->count = source->both[e];
    }
}

static void explain_neighbours(struct request *r)
{
    struct scratch *s = r->s;
    float greatest[LIMIT_ANSWER_ITEMS] = {0};
    for (uint32_t x = 0; x < r->out->count; x++)
        s->cells[s->items[x].item].score = place_mark(x);
    for (int k = 0; k < SOURCE_COUNT; k++) {
        enum source_kind kind = (enum source_kind)k;
        if (surface_weight(&r->m->sources[k], r->q->surface) <= 0)
            continue;
        for (uint32_t x = 0; x < s->context_count; x++)
            explain_by_row(r, kind, s->context[x], greatest);
    }
    for (uint32_t x = 0; x < r->out->count; x++)
        if (s->items[x].because.kind == BECAUSE_NEIGHBOUR)
            measure_neighbour(r->m, &s->items[x]);
}

static void explain_popular(const struct popularity *p, uint32_t item, struct because *b)
{
    bool recent = p->orders_28d[item] > 0;
    b->kind = BECAUSE_POPULAR;
    b->source = recent ? "orders_28d" : "orders_all";
    b->count = recent ? p->orders_28d[item] : p->orders_all[item];
}

static void explain_trend(const struct popularity *p, uint32_t item, struct because *b)
{
    b->kind = BECAUSE_TREND;
    b->source = "orders_7d";
    b->count = p->orders_7d[item];
    b->trend = p->trend[item];
}

void explain_answer(struct request *r, enum surface answered)
{
    const struct popularity *p = &r->m->popularity;
    for (uint32_t x = 0; x < r->out->count; x++) {
        struct suggestion *to = &r->s->items[x];
        if (answered == SURFACE_BASKET)
            explain_rule(r, to->item, &to->because);
        else if (answered == SURFACE_TRENDING)
            explain_trend(p, to->item, &to->because);
        else if (answered == SURFACE_POPULAR)
            explain_popular(p, to->item, &to->because);
    }
    if (answered == SURFACE_BASKET || answered == SURFACE_SIMILAR)
        explain_neighbours(r);
}
