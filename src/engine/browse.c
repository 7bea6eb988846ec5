/* Browsing a million rules from a loop that may not stop for long.
 *
 * The sorted orders are made in training, so an unfiltered page is a slice. A filtered one goes
 * through a bitmap of the rules that match, from the antecedent trie or from one scan of the flat
 * arrays; its population is `total`. Then either the order is walked from the cursor on, testing
 * bits, or, when few match, those few are sorted by hand. Which of the two is decided by `total`
 * alone, so it is the same for every page of a query, and the cursor means a place in the order or
 * in the sorted few. */
#include "engine/browse.h"

#include "base/mem.h"
#include "model_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sorting a match costs about as much as testing this many bits. */
#define SORT_COST 64

static const char *const sort_names[] = {
    [SORT_LIFT] = "lift",
    [SORT_CONFIDENCE] = "confidence",
    [SORT_SUPPORT] = "support",
    [SORT_COUNT] = "count",
    [SORT_LEVERAGE] = "leverage",
    [SORT_CONVICTION] = "conviction",
    [SORT_CONFIDENCE_LOW] = "confidence_low",
    [SORT_IMPROVEMENT] = "improvement",
    [SORT_Q] = "q",
};
_Static_assert(sizeof sort_names / sizeof *sort_names == SORT_COUNT_OF, "all orders have a name");

struct browse {
    const struct model *m;
    const struct rule_query *q;
    uint32_t *antecedent, *contains; /* resolved, ascending, distinct */
    uint32_t antecedent_count, contains_count;
    uint32_t consequent; /* DICT_NONE: any */
    uint64_t *bits;      /* [rules / 64 + 1]: matches */
    uint32_t total;
};

int rule_sort_parse(struct str name)
{
    for (int s = 0; s < SORT_COUNT_OF; s++)
        if (str_eq(name, str_of(sort_names[s])))
            return s;
    return -1;
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "rules: out of memory");
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Known ids as ascending, distinct items. *unknown: how many ids the model does not know. */
static uint32_t *resolve(const struct model *m, const struct str *ids, uint32_t count,
                         uint32_t *known, uint32_t *unknown)
{
    uint32_t *items = mem_array(count, sizeof *items);
    *known = *unknown = 0;
    if (!items)
        return NULL;
    for (uint32_t x = 0; x < count; x++) {
        uint32_t item = dict_find(&m->items, ids[x]);
        if (item == DICT_NONE)
            ++*unknown;
        else
            items[(*known)++] = item;
    }
    qsort(items, *known, sizeof *items, compare_u32);
    uint32_t distinct = 0;
    for (uint32_t x = 0; x < *known; x++)
        if (x == 0 || items[x] != items[x - 1])
            items[distinct++] = items[x];
    *known = distinct;
    return items;
}

/* 1: can match; 0: an unknown item is asked for, nothing can. */
static int prepare(struct browse *b, struct error *err)
{
    const struct rule_query *q = b->q;
    uint32_t unknown_antecedent, unknown_contains;
    b->antecedent = resolve(b->m, q->antecedent, q->antecedent ? q->antecedent_count : 0,
                            &b->antecedent_count, &unknown_antecedent);
    b->contains =
        resolve(b->m, q->contains, q->contains_count, &b->contains_count, &unknown_contains);
    if (!b->antecedent || !b->contains || !MEM_ZNEW(b->bits, (size_t)b->m->rules.count / 64 + 1))
        return out_of_memory(err);
    b->consequent = q->consequent.len ? dict_find(&b->m->items, q->consequent) : DICT_NONE;
    return unknown_contains == 0 && (q->consequent.len == 0 || b->consequent != DICT_NONE);
}

static bool rule_has(const struct rules *rules, uint32_t rule, uint32_t item)
{
    if (rules->consequent[rule] == item)
        return true;
    for (uint64_t e = rules->start[rule]; e < rules->start[rule + 1]; e++)
        if (rules->antecedent[e] == item)
            return true;
    return false;
}

/* top/bottom >= bound, by a product where that is clear, as divisions are slow. Where it is close
 * the division decides, the one of mine/measures, so that a value read in one answer is a bound
 * that keeps the same rule in the next. */
static inline bool at_least(double top, double bottom, double bound)
{
    double product = bound * bottom;
    if (fabs(top - product) > 1e-12 * product)
        return top > product;
    return top / bottom >= bound;
}

static bool passes(const struct browse *b, uint32_t rule)
{
    const struct rule_query *q = b->q;
    const struct rules *rules = &b->m->rules;
    if (b->consequent != DICT_NONE && rules->consequent[rule] != b->consequent)
        return false;
    double n = rules->basket_count, both = rules->both[rule], body = rules->body[rule];
    bool good = at_least(both, n, q->min_support) & at_least(both, body, q->min_confidence) &
                at_least(both * n, body * rules->head[rule], q->min_lift);
    for (uint32_t x = 0; x < b->contains_count && good; x++)
        good = rule_has(rules, rule, b->contains[x]);
    return good;
}

static void mark_range(void *context, uint32_t begin, uint32_t end)
{
    struct browse *b = context;
    for (uint32_t r = begin; r < end; r++) {
        uint64_t hit = passes(b, r);
        b->bits[r / 64] |= hit << r % 64;
        b->total += (uint32_t)hit;
    }
}

static bool is_match(const struct browse *b, uint32_t rule)
{
    return b->bits[rule / 64] >> rule % 64 & 1;
}

/* The page's rules in `order` (largest first, [count]) from place `after` on. */
static void take_page(const struct browse *b, const uint32_t *order, uint32_t count,
                      struct rule_page *out)
{
    for (uint32_t place = b->q->after; place < count; place++) {
        uint32_t rule = order[b->q->ascending ? count - 1 - place : place];
        if (!is_match(b, rule))
            continue;
        if (out->count == b->q->limit) {
            out->next = place;
            return;
        }
        out->rules[out->count++] = rule;
    }
}

/* The matches in order, largest first; the caller frees. */
static uint32_t *sort_matches(const struct browse *b, struct error *err)
{
    struct rule_entry *matches = mem_array(b->total, sizeof *matches);
    uint32_t *order = mem_array(b->total, sizeof *order);
    if (!matches || !order) {
        free(matches);
        free(order);
        out_of_memory(err);
        return NULL;
    }
    uint32_t found = 0;
    for (uint32_t word = 0; word <= b->m->rules.count / 64; word++) {
        for (uint64_t left = b->bits[word]; left; left &= left - 1) {
            uint32_t rule = word * 64 + (uint32_t)__builtin_ctzll(left);
            matches[found++] = rule_entry_of(b->m, b->q->sort, rule);
        }
    }
    assert(found == b->total);
    qsort(matches, found, sizeof *matches, rule_entry_compare);
    for (uint32_t x = 0; x < found; x++)
        order[x] = matches[x].rule;
    free(matches);
    return order;
}

static int page_of_matches(const struct browse *b, struct rule_page *out, struct error *err)
{
    uint32_t count = b->m->rules.count;
    if (b->total >= count / SORT_COST) {
        take_page(b, model_rule_order(b->m, b->q->sort), count, out);
        return 0;
    }
    uint32_t *order = sort_matches(b, err);
    if (!order)
        return ERR_NOMEM;
    take_page(b, order, b->total, out);
    free(order);
    return 0;
}

static bool has_conditions(const struct rule_query *q)
{
    return q->consequent.len > 0 || q->contains_count > 0 || q->min_support > 0 ||
           q->min_confidence > 0 || q->min_lift > 0;
}

static void find_matches(struct browse *b)
{
    uint32_t count = b->m->rules.count;
    if (b->q->antecedent) {
        ruletrie_match(&b->m->trie, b->antecedent, b->antecedent_count, mark_range, b);
    } else if (has_conditions(b->q)) {
        mark_range(b, 0, count);
    } else {
        memset(b->bits, 0xff, (size_t)count / 8 + 1);
        b->total = count;
    }
}

static int find_page(struct browse *b, struct rule_page *out, struct error *err)
{
    int rc = prepare(b, err);
    if (rc < 0)
        return rc;
    if (rc)
        find_matches(b);
    struct rule_page page = {.total = b->total};
    if (!MEM_NEW(page.rules, page.total < b->q->limit ? page.total : b->q->limit))
        return out_of_memory(err);
    rc = page_of_matches(b, &page, err);
    if (rc)
        free(page.rules);
    else
        *out = page;
    return rc;
}

int browse_rules(const struct model *m, const struct rule_query *q, struct rule_page *out,
                 struct error *err)
{
    assert(q->limit >= 1);
    assert(q->sort < SORT_COUNT_OF);
    struct browse b = {.m = m, .q = q};
    int rc = find_page(&b, out, err);
    free(b.antecedent);
    free(b.contains);
    free(b.bits);
    return rc;
}
