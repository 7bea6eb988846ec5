#include "support/allrules.h"

#include "mine/fisher.h"
#include "support/baskets.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const struct allrules *sorted; /* one at a time */

static uint32_t items_in(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

static void count_supports(const struct csr *baskets, struct allrules *a)
{
    a->support = calloc((size_t)1 << baskets->cols, sizeof *a->support);
    if (!a->support)
        abort();
    for (uint32_t mask = 0; mask < 1u << baskets->cols; mask++) {
        uint32_t items[ALLRULES_ITEMS_MAX], length = 0;
        for (uint32_t i = 0; i < baskets->cols; i++)
            if (mask >> i & 1)
                items[length++] = i;
        a->support[mask] = baskets_support(baskets, items, length);
    }
}

static bool allowed(const struct rule_params *p, uint32_t left, uint32_t right, uint32_t cols)
{
    uint32_t most_left = p->max_antecedent ? p->max_antecedent : 3;
    uint32_t most_right = p->max_consequent ? p->max_consequent : 1;
    if (items_in(left) > most_left || items_in(right) > most_right)
        return false;
    for (uint32_t i = 0; i < cols && p->sides; i++) {
        bool on_left = left >> i & 1, on_right = right >> i & 1;
        if ((on_left && (p->sides[i] == SIDE_CONSEQUENT || p->sides[i] == SIDE_NONE)) ||
            (on_right && (p->sides[i] == SIDE_ANTECEDENT || p->sides[i] == SIDE_NONE)))
            return false;
    }
    return true;
}

static void test_improvement(const struct allrules *a, struct plain_rule *r, double alpha)
{
    double own = (double)r->counts.c / (double)r->counts.x, best = 0;
    bool better_than_all = true;
    for (uint32_t part = 0; part < r->left; part++) {
        if (part & ~r->left)
            continue;
        uint64_t both = a->support[part | r->right], body = a->support[part];
        best = fmax(best, (double)both / (double)body);
        better_than_all = better_than_all && r->counts.c * body > both * r->counts.x;
        if (items_in(part) + 1 == items_in(r->left)) {
            double p = fisher_p(body, r->counts.x, both, r->counts.c);
            r->improvement_p = fmax(r->improvement_p, p);
        }
    }
    r->improvement = own - best;
    r->productive = better_than_all && r->improvement_p <= alpha;
}

static int compare_p(const void *a, const void *b)
{
    double x = sorted->rules[*(const uint32_t *)a].fisher_p;
    double y = sorted->rules[*(const uint32_t *)b].fisher_p;
    return (x > y) - (x < y);
}

/* q of the i-th smallest p is the smallest m p(j)/j for j >= i. */
static void benjamini_hochberg(struct allrules *a)
{
    uint32_t *order = malloc((a->count + 1) * sizeof *order);
    if (!order)
        abort();
    for (uint32_t k = 0; k < a->count; k++)
        order[k] = k;
    sorted = a;
    qsort(order, a->count, sizeof *order, compare_p);
    double least = 1;
    for (uint32_t k = a->count; k-- > 0;) {
        struct plain_rule *r = &a->rules[order[k]];
        least = fmin(least, r->fisher_p * a->count / (k + 1));
        r->q = least;
    }
    free(order);
}

/* The order of itemsets, then that of rules_visit. */
static int compare_rules(const void *x, const void *y)
{
    const struct plain_rule *a = x, *b = y;
    uint32_t a_set = a->left | a->right, b_set = b->left | b->right;
    if (items_in(a_set) != items_in(b_set))
        return items_in(a_set) < items_in(b_set) ? -1 : 1;
    if (a_set != b_set) /* the first item that only one of them has */
        return a_set >> __builtin_ctz(a_set ^ b_set) & 1 ? -1 : 1;
    if (items_in(a->right) != items_in(b->right))
        return items_in(a->right) < items_in(b->right) ? -1 : 1;
    return (a->right > b->right) - (a->right < b->right);
}

static bool passes(const struct plain_rule *r, const struct rule_params *p)
{
    const struct counts *t = &r->counts;
    double confidence = p->min_confidence != 0 ? p->min_confidence : 0.1;
    double lift = p->min_lift != 0 ? p->min_lift : 1;
    double max_p = p->max_fisher_p != 0 ? p->max_fisher_p : 0.05;
    double slack = 1 + 1e-9; /* ties are kept */
    return (double)t->c * slack >= confidence * (double)t->x &&
           (double)(t->c * t->n) * slack >= lift * (double)(t->x * t->y) &&
           (max_p >= 1 || r->fisher_p <= max_p) && (!p->productive || r->productive);
}

struct allrules allrules_of(const struct csr *baskets, uint32_t min_support,
                            const struct rule_params *params)
{
    struct allrules a = {0};
    uint32_t masks = 1u << baskets->cols;
    assert(baskets->cols <= ALLRULES_ITEMS_MAX);
    count_supports(baskets, &a);
    uint64_t most = 1;
    for (uint32_t i = 0; i < baskets->cols; i++)
        most *= 3; /* an item is on the left, on the right or in neither */
    a.rules = calloc(most, sizeof *a.rules);
    if (!a.rules)
        abort();
    for (uint32_t set = 1; set < masks; set++) {
        if (a.support[set] < min_support)
            continue;
        for (uint32_t right = 1; right < set; right++) {
            if (right & ~set || !allowed(params, set & ~right, right, baskets->cols))
                continue;
            struct plain_rule *r = &a.rules[a.count++];
            *r = (struct plain_rule){.left = set & ~right, .right = right};
            r->counts = (struct counts){baskets->rows, a.support[r->left], a.support[right],
                                        a.support[set]};
            r->fisher_p = fisher_p(r->counts.n, r->counts.x, r->counts.y, r->counts.c);
            test_improvement(&a, r, params->alpha != 0 ? params->alpha : 0.05);
            r->passes = passes(r, params);
        }
    }
    benjamini_hochberg(&a);
    if (a.count)
        qsort(a.rules, a.count, sizeof *a.rules, compare_rules);
    return a;
}

void allrules_free(struct allrules *a)
{
    free(a->rules);
    free(a->support);
}

static uint32_t mask_of(const uint32_t *items, uint32_t count)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(i == 0 || items[i - 1] < items[i]);
        mask |= 1u << items[i];
    }
    return mask;
}

const struct plain_rule *allrules_find(const struct allrules *a, const struct rule *rule)
{
    struct plain_rule key = {.left = mask_of(rule->antecedent, rule->antecedent_length),
                             .right = mask_of(rule->consequent, rule->consequent_length)};
    return bsearch(&key, a->rules, a->count, sizeof key, compare_rules);
}
