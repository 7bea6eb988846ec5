/* What is derived from the rules: the strong ones for answers, the sorted orders for /rules.
 *
 * Strong rules. Of all rules that match a basket, one per consequent is shown: the strongest. A
 * mined rule set is mostly variations (A,B -> C where A -> C is as strong), and those are left out
 * here once instead of being matched in every request. A rule's sub-rules are found by matching its
 * own antecedent in the trie: at most 2^8 nodes, a binary search for the consequent in each.
 *
 * Orders. One sorted list of rule numbers per measure; the order is total, so a given list is
 * checked by comparing neighbours: strictly ascending everywhere means each rule once. */
#include "model_internal.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "rule index: out of memory");
}

static float strength_of(const struct rules *rules, uint32_t r)
{
    return (float)wilson_low(rules->both[r], rules->body[r]);
}

struct domination {
    const struct rules *rules;
    uint32_t rule;
    float strength;
    bool found;
};

/* The first rule in [begin, end) whose consequent is not below `consequent`. */
static uint32_t lower_bound(const uint32_t *consequents, uint32_t begin, uint32_t end,
                            uint32_t consequent)
{
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (consequents[middle] < consequent)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static void look_for_stronger(void *context, uint32_t begin, uint32_t end)
{
    struct domination *d = context;
    uint32_t consequent = d->rules->consequent[d->rule];
    uint32_t r = lower_bound(d->rules->consequent, begin, end, consequent);
    if (r < end && r != d->rule && d->rules->consequent[r] == consequent)
        d->found = d->found || strength_of(d->rules, r) >= d->strength;
}

static bool is_strong(const struct model *m, uint32_t r)
{
    const struct rules *rules = &m->rules;
    uint32_t length = (uint32_t)(rules->start[r + 1] - rules->start[r]);
    if (length == 1 || length > BECAUSE_ITEMS_MAX)
        return length == 1;
    struct domination d = {.rules = rules, .rule = r, .strength = strength_of(rules, r)};
    ruletrie_match(&m->trie, rules->antecedent + rules->start[r], length, look_for_stronger, &d);
    return !d.found;
}

struct strong_search {
    const struct model *m;
    unsigned char *strong; /* [rules] */
    struct cursor cursor;
};

static void search_strong(void *context, uint32_t worker)
{
    struct strong_search *search = context;
    uint64_t begin, end;
    (void)worker;
    while (cursor_take(&search->cursor, &begin, &end))
        for (uint64_t r = begin; r < end; r++)
            search->strong[r] = is_strong(search->m, (uint32_t)r);
}

static int find_strong(struct model *m, struct error *err)
{
    uint32_t count = m->rules.count;
    struct strong_search search = {.m = m};
    if (!MEM_ZNEW(search.strong, count))
        return out_of_memory(err);
    cursor_init(&search.cursor, count, 1024);
    parallel_run(parallel_workers(0), search_strong, &search);
    uint32_t kept = 0;
    for (uint32_t r = 0; r < count; r++)
        kept += search.strong[r];
    m->strong.count = kept;
    if (MEM_NEW(m->strong.index, kept))
        for (uint32_t r = 0, at = 0; r < count; r++)
            if (search.strong[r])
                m->strong.index[at++] = r;
    free(search.strong);
    return m->strong.index ? 0 : out_of_memory(err);
}

static int check_strong(const struct model *m, struct error *err)
{
    const struct strong_rules *s = &m->strong;
    const uint64_t *start = m->rules.start;
    for (uint32_t x = 0; x < s->count; x++) {
        uint32_t r = s->index[x];
        if (r >= m->rules.count || (x && r <= s->index[x - 1]) ||
            start[r + 1] - start[r] > BECAUSE_ITEMS_MAX)
            return error_set(err, ERR_CORRUPT, "model: strong rule %u", x);
    }
    return 0;
}

/* The antecedents and consequents of the strong rules, which is all a trie is built from. */
static int copy_strong(const struct model *m, struct rules *out, struct error *err)
{
    const struct rules *all = &m->rules;
    const struct strong_rules *s = &m->strong;
    *out = (struct rules){.count = s->count, .basket_count = all->basket_count};
    uint64_t items = 0;
    for (uint32_t x = 0; x < s->count; x++)
        items += all->start[s->index[x] + 1] - all->start[s->index[x]];
    if (!MEM_NEW(out->start, (size_t)s->count + 1) || !MEM_NEW(out->antecedent, items) ||
        !MEM_NEW(out->consequent, s->count))
        return out_of_memory(err);
    out->start[0] = 0;
    for (uint32_t x = 0; x < s->count; x++) {
        uint64_t at = out->start[x];
        for (uint64_t e = all->start[s->index[x]]; e < all->start[s->index[x] + 1]; e++)
            out->antecedent[at++] = all->antecedent[e];
        out->start[x + 1] = at;
        out->consequent[x] = all->consequent[s->index[x]];
    }
    return 0;
}

int strong_rules_build(struct model *m, struct error *err)
{
    struct strong_rules *s = &m->strong;
    int rc = s->index ? check_strong(m, err) : find_strong(m, err);
    if (rc)
        return rc;
    if (!MEM_NEW(s->rule, s->count))
        return out_of_memory(err);
    for (uint32_t x = 0; x < s->count; x++)
        s->rule[x] = (struct strong_rule){m->rules.consequent[s->index[x]],
                                          strength_of(&m->rules, s->index[x])};
    struct rules copy;
    rc = copy_strong(m, &copy, err);
    if (rc == 0)
        rc = ruletrie_build(&copy, m->item_count, &s->trie, err);
    rules_deinit(&copy);
    return rc;
}

void strong_rules_deinit(struct strong_rules *s)
{
    free(s->index);
    free(s->rule);
    ruletrie_deinit(&s->trie);
    *s = (struct strong_rules){0};
}

double model_rule_value(const struct model *m, enum rule_sort sort, uint32_t rule)
{
    const struct rules *rules = &m->rules;
    switch (sort) {
    case SORT_LIFT:
        return rules_measure(rules, rule, MEASURE_LIFT);
    case SORT_CONFIDENCE:
        return rules_measure(rules, rule, MEASURE_CONFIDENCE);
    case SORT_SUPPORT:
        return rules_measure(rules, rule, MEASURE_SUPPORT);
    case SORT_COUNT:
        return rules->both[rule];
    case SORT_LEVERAGE:
        return rules_measure(rules, rule, MEASURE_LEVERAGE);
    case SORT_CONVICTION:
        return rules_measure(rules, rule, MEASURE_CONVICTION);
    case SORT_CONFIDENCE_LOW:
        return rules_measure(rules, rule, MEASURE_CONFIDENCE_LOW);
    case SORT_IMPROVEMENT:
        return (double)rules->improvement[rule];
    case SORT_Q:
        return (double)rules->q[rule];
    case SORT_COUNT_OF:
        break;
    }
    assert(!"a known order");
    return (double)NAN;
}

const uint32_t *model_rule_order(const struct model *m, enum rule_sort sort)
{
    assert(sort < SORT_COUNT_OF);
    return m->rule_order[sort == SORT_SUPPORT ? SORT_COUNT : sort];
}

struct rule_entry rule_entry_of(const struct model *m, enum rule_sort sort, uint32_t rule)
{
    double value = model_rule_value(m, sort, rule);
    return (struct rule_entry){isnan(value) ? INFINITY : value, m->rules.both[rule], rule};
}

int rule_entry_compare(const void *a, const void *b)
{
    const struct rule_entry *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    if (x->both != y->both)
        return x->both > y->both ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static int make_order(struct model *m, enum rule_sort sort, struct rule_entry *entries,
                      struct error *err)
{
    uint32_t *order = mem_array(m->rules.count, sizeof *order);
    if (!order)
        return out_of_memory(err);
    qsort(entries, m->rules.count, sizeof *entries, rule_entry_compare);
    for (uint32_t x = 0; x < m->rules.count; x++)
        order[x] = entries[x].rule;
    m->rule_order[sort] = order;
    return 0;
}

static int check_order(const struct model *m, enum rule_sort sort, const struct rule_entry *entries,
                       struct error *err)
{
    const uint32_t *order = m->rule_order[sort];
    for (uint32_t x = 0; x < m->rules.count; x++)
        if (order[x] >= m->rules.count ||
            (x && rule_entry_compare(&entries[order[x - 1]], &entries[order[x]]) >= 0))
            return error_set(err, ERR_CORRUPT, "model: rule order, place %u", x);
    return 0;
}

int rule_orders_build(struct model *m, struct error *err)
{
    struct rule_entry *entries;
    if (!MEM_NEW(entries, m->rules.count))
        return out_of_memory(err);
    int rc = 0;
    for (int k = 0; k < SORT_COUNT_OF && rc == 0; k++) {
        enum rule_sort sort = (enum rule_sort)k;
        if (sort == SORT_SUPPORT)
            continue;
        for (uint32_t r = 0; r < m->rules.count; r++)
            entries[r] = rule_entry_of(m, sort, r);
        rc = m->rule_order[sort] ? check_order(m, sort, entries, err)
                                 : make_order(m, sort, entries, err);
    }
    free(entries);
    return rc;
}
