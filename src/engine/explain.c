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
    float most;              /* 0: none contributed */
    enum matrix_kind matrix; /* MATRIX_COUNT: fresh orders */
    bool of_visits;          /* past visits like this one, instead; `both` of them have it */
    uint32_t item, both;
};

struct search {
    struct request *r;
    struct carrier carriers[LIMIT_ANSWER_ITEMS];
    uint32_t strongest[LIMIT_ANSWER_ITEMS]; /* per place: position in model.strong, or NO_RULE */
};

/* Shares of `n` orders or shoppers, of which x have the one, y the other, c both. Those who bought
 * one after the other are not all who bought both, so these are no counts of one table. */
static void set_shares(struct because *b, double n, double x, double y, double c)
{
    b->count = (uint64_t)c;
    b->support = c / n;
    b->confidence = c / x;
    b->lift = b->confidence * n / y;
}

static void search_row(struct search *search, enum matrix_kind kind, uint32_t item, float scale)
{
    const struct matrix *matrix = &search->r->m->matrices[kind];
    const struct csr *rows = &matrix->rows;
    if (is_new(search->r, item))
        return;
    for (uint64_t e = rows->start[item]; e < rows->start[item + 1]; e++) {
        uint32_t place = place_of(search->r->s, rows->column[e]);
        if (place == NOT_ANSWERED || !(scale * rows->value[e] > search->carriers[place].most))
            continue;
        search->carriers[place] =
            (struct carrier){scale * rows->value[e], kind, false, item, matrix->both[e]};
    }
}

static void search_fresh(struct search *search, uint32_t item, float scale)
{
    const struct request *r = search->r;
    const struct fresh_item *fresh = fresh_item_of(r, item);
    for (uint32_t n = 0; fresh && n < fresh->partner_count; n++) {
        const struct fresh_partner *partner = &fresh->partners[n];
        uint32_t other = r->fresh->items[partner->other].item;
        float gain = scale * fresh_gain(r->fresh, fresh, partner);
        uint32_t place =
            place_of(r->s, other == DICT_NONE ? r->m->item_count + partner->other : other);
        if (place != NOT_ANSWERED && gain > search->carriers[place].most)
            search->carriers[place] =
                (struct carrier){gain, MATRIX_COUNT, false, item, partner->both};
    }
}

static void search_neighbours(struct search *search)
{
    const struct request *r = search->r;
    for (uint32_t x = 0; x < r->out->count && r->visits.count > 0; x++) {
        uint32_t item = r->s->items[x].item;
        float carried = is_new(r, item) ? 0 : neighbours_score(r, item);
        if (carried > search->carriers[x].most)
            search->carriers[x] = (struct carrier){.most = carried, .of_visits = true};
    }
}

static void count_visits(struct search *search)
{
    const struct request *r = search->r;
    uint32_t item[LIMIT_ANSWER_ITEMS], place[LIMIT_ANSWER_ITEMS], both[LIMIT_ANSWER_ITEMS];
    uint32_t count = 0;
    for (uint32_t x = 0; x < r->out->count; x++) {
        if (!search->carriers[x].of_visits)
            continue;
        item[count] = r->s->items[x].item;
        place[count++] = x;
    }
    if (count > 0)
        sessionknn_holders(&r->m->neighbours, r->s->visits, item, count, both);
    for (uint32_t n = 0; n < count; n++)
        search->carriers[place[n]].both = both[n];
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
    for (uint32_t t = 0; r->fresh && t < r->s->context_count; t++)
        search_fresh(search, r->s->context[r->s->context_count - 1 - t], fresh_scale(r, t));
    search_neighbours(search);
    count_visits(search);
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
    uint32_t items[RULE_CONTEXT_MAX], count = 0;
    for (uint32_t x = s->context_count; x > 0 && count < RULE_CONTEXT_MAX; x--)
        if (!is_new(search->r, s->context[x - 1]))
            items[count++] = s->context[x - 1];
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

/* Of fresh orders alone. */
static void explain_by_fresh(const struct request *r, const struct carrier *c, uint32_t item,
                             struct because *b)
{
    const struct fresh_item *with = fresh_item_of(r, c->item), *it = fresh_item_of(r, item);
    b->kind = BECAUSE_NEIGHBOUR;
    b->source = "fresh";
    set_shares(b, r->fresh->order_count, with->orders, it->orders, c->both);
}

/* Low rank knows of likeness between items that nobody has bought both of. */
static void explain_by_taste(const struct model *m, uint32_t item, struct because *b)
{
    b->kind = BECAUSE_TASTE;
    b->source = "buyers";
    b->count = m->buyers[item];
}

/* Shares of what the matrix counts: orders, also fresh ones, visits or shoppers. */
static void explain_by_matrix(const struct request *r, const struct carrier *c, uint32_t item,
                              struct because *b)
{
    const struct model *m = r->m;
    bool of_orders = c->matrix == MATRIX_ORDERS || c->matrix == MATRIX_ALIKE;
    bool of_visits = c->matrix == MATRIX_VISITS;
    const uint32_t *counts = of_orders   ? m->popularity.orders_all
                             : of_visits ? m->visits
                                         : m->buyers;
    double n = of_orders ? m->basket_count : of_visits ? m->visit_count : m->user_count;
    double x = counts[c->item], y = counts[item], both = c->both;
    const struct fresh_item *with = fresh_item_of(r, c->item), *it = fresh_item_of(r, item);
    if (of_orders && r->fresh) {
        n += r->fresh->order_count;
        x += with ? with->orders : 0;
        y += it ? it->orders : 0;
        both += with && it ? fresh_both(r->fresh, (uint32_t)(with - r->fresh->items),
                                        (uint32_t)(it - r->fresh->items))
                           : 0;
    }
    b->kind = c->matrix == MATRIX_NEXT || of_visits ? BECAUSE_AFTER : BECAUSE_NEIGHBOUR;
    b->source = matrix_name(c->matrix);
    set_shares(b, n, x, y, both);
}

/* How many of the past visits that spoke have it. */
static void explain_by_visits(const struct request *r, const struct carrier *c, struct because *b)
{
    b->kind = BECAUSE_VISITS;
    b->source = "neighbours";
    b->count = c->both;
    b->support = (double)b->count / r->visits.neighbours;
}

static void explain_by_carrier(const struct request *r, const struct carrier *c, uint32_t item,
                               struct because *b)
{
    b->items[0] = c->item;
    b->item_count = 1;
    if (c->matrix == MATRIX_COUNT)
        explain_by_fresh(r, c, item, b);
    else if (c->both == 0)
        explain_by_taste(r->m, item, b);
    else
        explain_by_matrix(r, c, item, b);
}

static void explain_popular(const struct request *r, uint32_t item, struct because *b)
{
    uint32_t recent = item_orders_28d(r, item);
    b->kind = BECAUSE_POPULAR;
    b->source = recent ? "orders_28d" : "orders_all";
    b->count = recent ? recent : item_orders(r, item);
}

static float prior_of(const struct request *r, uint32_t item)
{
    return r->prior->of_item && !is_new(r, item) ? r->prior->of_item[item] : 0;
}

/* The largest part of the score: popularity's also where no row speaks. */
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
    float habit[LIMIT_ANSWER_ITEMS] = {0};
    for (struct habit_walk w = habit_begin(r); habit_next(r, &w);)
        if (place_of(s, w.item) != NOT_ANSWERED)
            habit[place_of(s, w.item)] += w.weight;
    for (uint32_t x = 0; x < r->out->count; x++) {
        struct suggestion *to = &s->items[x];
        float most = search.carriers[x].most, popular = prior_of(r, to->item);
        if (habit[x] > most && habit[x] >= popular)
            explain_habit(r, to);
        else if (popular > most || most == 0)
            explain_popular(r, to->item, &to->because);
        else if (search.carriers[x].of_visits)
            explain_by_visits(r, &search.carriers[x], &to->because);
        else if (search.strongest[x] == NO_RULE)
            explain_by_carrier(r, &search.carriers[x], to->item, &to->because);
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
    if (answered <= SURFACE_SESSION) /* those that start from a context */
        explain_by_context(r);
    if (answered == SURFACE_REBUY)
        explain_rebuy(r);
    for (uint32_t x = 0; x < r->out->count; x++) {
        struct suggestion *to = &r->s->items[x];
        if (answered == SURFACE_TRENDING)
            explain_trend(p, to->item, &to->because);
        else if (answered == SURFACE_POPULAR)
            explain_popular(r, to->item, &to->because);
    }
}
