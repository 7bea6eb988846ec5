/* Why an item was suggested, in numbers a person can recount. Both searches look at answered items
 * only: the rules of the context are matched, and for items without one the context's rows are gone
 * over once more, as cheap as gathering was. By then the cells' scores have served; an answered
 * item's cell holds its place instead. */
#include "recommend_internal.h"

#include <string.h>

static void set_measures(struct because *b, struct counts counts)
{
    b->support = measure_of(MEASURE_SUPPORT, &counts);
    b->confidence = measure_of(MEASURE_CONFIDENCE, &counts);
    b->lift = measure_of(MEASURE_LIFT, &counts);
}

#define NO_RULE UINT32_MAX

struct rule_search {
    const struct request *r;
    uint32_t strongest[LIMIT_ANSWER_ITEMS]; /* per place: position in model.strong, or NO_RULE */
};

static void take_stronger(void *context, uint32_t begin, uint32_t end)
{
    struct rule_search *search = context;
    const struct strong_rule *rules = search->r->m->strong.rule;
    for (uint32_t x = begin; x < end; x++) {
        uint32_t place = place_of(search->r->s, rules[x].consequent);
        if (place == NOT_ANSWERED)
            continue;
        uint32_t *best = &search->strongest[place];
        float strength = rules[x].strength;
        float most = *best == NO_RULE ? 0 : rules[*best].strength; /* a strength is above 0 */
        if (strength > most || (strength == most && *best > x))
            *best = x;
    }
}

static void explain_by_rule(const struct model *m, uint32_t rule, struct because *b)
{
    const struct rules *rules = &m->rules;
    b->kind = BECAUSE_RULE;
    b->source = "rule";
    b->item_count = (uint32_t)(rules->start[rule + 1] - rules->start[rule]);
    memcpy(b->items, rules->antecedent + rules->start[rule], b->item_count * sizeof *b->items);
    b->count = rules->both[rule];
    set_measures(b, rules_counts(rules, rule));
}

static void sort_ascending(uint32_t *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t item = items[i], at = i;
        for (; at > 0 && items[at - 1] > item; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void explain_rules(struct request *r)
{
    struct scratch *s = r->s;
    struct rule_search search = {.r = r};
    uint32_t items[RULE_CONTEXT_MAX];
    uint32_t count = s->context_count < RULE_CONTEXT_MAX ? s->context_count : RULE_CONTEXT_MAX;
    memcpy(items, s->context + s->context_count - count, count * sizeof *items);
    sort_ascending(items, count);
    for (uint32_t x = 0; x < r->out->count; x++)
        search.strongest[x] = NO_RULE;
    ruletrie_match(&r->m->strong.trie, items, count, take_stronger, &search);
    for (uint32_t x = 0; x < r->out->count; x++)
        if (search.strongest[x] != NO_RULE)
            explain_by_rule(r->m, r->m->strong.index[search.strongest[x]], &s->items[x].because);
}

static void measure_neighbour(const struct model *m, struct suggestion *suggestion)
{
    struct because *b = &suggestion->because;
    const uint32_t *orders = m->popularity.orders_all;
    set_measures(b, (struct counts){m->basket_count, orders[b->items[0]], orders[suggestion->item],
                                    b->count});
}

/* The neighbours among `row`'s entries that contribute more than any before. */
static void explain_by_row(struct request *r, enum source_kind kind, uint32_t row, float *greatest)
{
    const struct source *source = &r->m->sources[kind];
    const struct csr *rows = &source->rows;
    float scale = entry_scale(r, kind);
    for (uint64_t e = rows->start[row]; e < rows->start[row + 1]; e++) {
        uint32_t place = place_of(r->s, rows->column[e]);
        if (place == NOT_ANSWERED)
            continue;
        struct because *b = &r->s->items[place].because;
        float contribution = scale * rows->value[e];
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
    for (int k = 0; k < SOURCE_COUNT; k++)
        for (uint32_t x = 0; x < s->context_count && entry_scale(r, (enum source_kind)k) > 0; x++)
            explain_by_row(r, (enum source_kind)k, s->context[x], greatest);
    for (uint32_t x = 0; x < r->out->count; x++)
        if (s->items[x].because.kind == BECAUSE_NEIGHBOUR)
            measure_neighbour(r->m, &s->items[x]);
}

static bool all_explained(const struct request *r)
{
    uint32_t explained = 0;
    while (explained < r->out->count && r->s->items[explained].because.kind != BECAUSE_NONE)
        explained++;
    return explained == r->out->count;
}

static void explain_by_context(struct request *r)
{
    struct scratch *s = r->s;
    for (uint32_t x = 0; x < r->out->count; x++)
        mark_place(s, s->items[x].item, x);
    if (r->q->surface == SURFACE_BASKET)
        explain_rules(r);
    if (!all_explained(r))
        explain_neighbours(r);
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
    if (answered == SURFACE_BASKET || answered == SURFACE_SIMILAR)
        explain_by_context(r);
    if (answered == SURFACE_REBUY)
        explain_rebuy(r);
    for (uint32_t x = 0; x < r->out->count; x++) {
        struct suggestion *to = &r->s->items[x];
        if (answered == SURFACE_TRENDING)
            explain_trend(p, to->item, &to->because);
        else if (answered == SURFACE_POPULAR)
            explain_popular(p, to->item, &to->because);
    }
}
