/* Why an item was suggested, in numbers a person can recount. The context's rows are gone over once
 * more, as cheap as gathering was, for the entry that carried the most weight; then the rules of
 * the context are matched, and the strongest one that has the carrier among its antecedents tells
 * more than the pair does. Both searches look at answered items only: by then the cells' scores
 * have served, and an answered item's cell holds its place instead. */
#include "recommend_internal.h"

#include <string.h>

#define NO_RULE UINT32_MAX

/* The entry that contributed the most to a place of the answer. */
struct carrier {
    float most; /* 0: none contributed */
    enum matrix_kind matrix;
    uint32_t item, both;
};

struct search {
    struct request *r;
    struct carrier carriers[LIMIT_ANSWER_ITEMS];
    uint32_t strongest[LIMIT_ANSWER_ITEMS]; /* per place: position in model.strong, or NO_RULE */
};

static void search_row(struct search *search, enum matrix_kind kind, uint32_t item, float scale)
{
    const struct matrix *matrix = &search->r->m->matrices[kind];
    const struct csr *rows = &matrix->rows;
    for (uint64_t e = rows->start[item]; e < rows->start[item + 1]; e++) {
        uint32_t place = place_of(search->r->s, rows->column[e]);
        if (place == NOT_ANSWERED || !(scale * rows->value[e] > search->carriers[place].most))
            continue;
        search->carriers[place] =
            (struct carrier){scale * rows->value[e], kind, item, matrix->both[e]};
    }
}

static void find_carriers(struct search *search)
{
    const struct request *r = search->r;
    for (int k = 0; k < MATRIX_COUNT; k++) {
        enum matrix_kind kind = (enum matrix_kind)k;
        uint32_t count = r->mix->weight[k] > 0 ? decayed_length(r, kind) : 0;
        for (uint32_t t = 0; t < count; t++)
            search_row(search, kind, r->s->context[r->s->context_count - 1 - t],
                       entry_scale(r, kind, t));
    }
}

static bool has_item(const struct rules *rules, uint32_t rule, uint32_t item)
{
    for (uint64_t x = rules->start[rule]; x < rules->start[rule + 1]; x++)
        if (rules->antecedent[x] == item)
            return true;
    return false;
}

static void take_stronger(void *context, uint32_t begin, uint32_t end)
{
    struct search *search = context;
    const struct model *m = search->r->m;
    const struct strong_rule *rules = m->strong.rule;
    for (uint32_t x = begin; x < end; x++) {
        uint32_t place = place_of(search->r->s, rules[x].consequent);
        if (place == NOT_ANSWERED || search->carriers[place].most == 0)
            continue;
        uint32_t *best = &search->strongest[place];
        float strength = rules[x].strength;
        float most = *best == NO_RULE ? 0 : rules[*best].strength; /* a strength is above 0 */
        bool stronger = strength > most || (strength == most && *best > x);
        if (stronger && has_item(&m->rules, m->strong.index[x], search->carriers[place].item))
            *best = x;
    }
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

static void find_rules(struct search *search)
{
    const struct scratch *s = search->r->s;
    uint32_t items[RULE_CONTEXT_MAX];
    uint32_t count = s->context_count < RULE_CONTEXT_MAX ? s->context_count : RULE_CONTEXT_MAX;
    memcpy(items, s->context + s->context_count - count, count * sizeof *items);
    sort_ascending(items, count);
    ruletrie_match(&search->r->m->strong.trie, items, count, take_stronger, search);
}

static void explain_by_rule(const struct model *m, uint32_t rule, struct because *b)
{
    const struct rules *rules = &m->rules;
    b->kind = BECAUSE_RULE;
    b->source = "rule";
    b->item_count = (uint32_t)(rules->start[rule + 1] - rules->start[rule]);
    memcpy(b->items, rules->antecedent + rules->start[rule], b->item_count * sizeof *b->items);
    b->count = rules->both[rule];
    struct counts counts = rules_counts(rules, rule);
    b->support = measure_of(MEASURE_SUPPORT, &counts);
    b->confidence = measure_of(MEASURE_CONFIDENCE, &counts);
    b->lift = measure_of(MEASURE_LIFT, &counts);
}

/* Shares of what the matrix counts: orders, or shoppers. Those who bought one after the other are
 * not all who bought both, so that these are no counts of one table. */
static void explain_by_carrier(const struct model *m, const struct carrier *c, uint32_t item,
                               struct because *b)
{
    bool of_orders = c->matrix == MATRIX_ORDERS || c->matrix == MATRIX_ALIKE;
    const uint32_t *counts = of_orders ? m->popularity.orders_all : m->buyers;
    uint32_t all = of_orders ? m->basket_count : m->user_count;
    b->kind = c->matrix == MATRIX_NEXT ? BECAUSE_AFTER : BECAUSE_NEIGHBOUR;
    b->source = matrix_name(c->matrix);
    b->items[0] = c->item;
    b->item_count = 1;
    b->count = c->both;
    b->support = (double)c->both / all;
    b->confidence = (double)c->both / counts[c->item];
    b->lift = b->confidence * all / counts[item];
}

static void explain_popular(const struct popularity *p, uint32_t item, struct because *b)
{
    bool recent = p->orders_28d[item] > 0;
    b->kind = BECAUSE_POPULAR;
    b->source = recent ? "orders_28d" : "orders_all";
    b->count = recent ? p->orders_28d[item] : p->orders_all[item];
}

/* What no row speaks for is there for its popularity. */
static void explain_by_context(struct request *r)
{
    struct scratch *s = r->s;
    struct search search = {.r = r};
    for (uint32_t x = 0; x < r->out->count; x++) {
        mark_place(s, s->items[x].item, x);
        search.strongest[x] = NO_RULE;
    }
    find_carriers(&search);
    if (r->q->surface == SURFACE_BASKET)
        find_rules(&search);
    for (uint32_t x = 0; x < r->out->count; x++) {
        struct suggestion *to = &s->items[x];
        if (search.carriers[x].most == 0)
            explain_popular(&r->m->popularity, to->item, &to->because);
        else if (search.strongest[x] == NO_RULE)
            explain_by_carrier(r->m, &search.carriers[x], to->item, &to->because);
        else
            explain_by_rule(r->m, r->m->strong.index[search.strongest[x]], &to->because);
    }
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
