/* A model's rules: what is read from the arrays, and what must hold of them. */
#include "mine/rules.h"

#include <assert.h>
#include <stdlib.h>

void rules_deinit(struct rules *r)
{
    free(r->start);
    free(r->antecedent);
    free(r->consequent);
    free(r->both);
    free(r->body);
    free(r->head);
    free(r->q);
    free(r->improvement);
    *r = (struct rules){0};
}

size_t rules_bytes(const struct rules *r)
{
    if (!r->start)
        return 0;
    return ((size_t)r->count + 1) * sizeof *r->start + r->start[r->count] * sizeof *r->antecedent +
           (size_t)r->count * (4 * sizeof *r->both + 2 * sizeof *r->q);
}

struct counts rules_counts(const struct rules *r, uint32_t rule)
{
    assert(rule < r->count);
    return (struct counts){r->basket_count, r->body[rule], r->head[rule], r->both[rule]};
}

double rules_measure(const struct rules *r, uint32_t rule, enum measure m)
{
    struct counts counts = rules_counts(r, rule);
    return measure_of(m, &counts);
}

static uint32_t body_length(const struct rules *r, uint32_t rule)
{
    return (uint32_t)(r->start[rule + 1] - r->start[rule]);
}

static int compare_lists(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count && i < b_count; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return (a_count > b_count) - (a_count < b_count);
}

static int compare_rule(const struct rules *r, uint32_t rule, const uint32_t *antecedent,
                        uint32_t length, uint32_t consequent)
{
    int order =
        compare_lists(r->antecedent + r->start[rule], body_length(r, rule), antecedent, length);
    if (order)
        return order;
    return (r->consequent[rule] > consequent) - (r->consequent[rule] < consequent);
}

static bool items_good(const struct rules *r, uint32_t rule, uint32_t item_count)
{
    const uint32_t *items = r->antecedent + r->start[rule];
    uint32_t length = body_length(r, rule), right = r->consequent[rule];
    if (right >= item_count)
        return false;
    for (uint32_t i = 0; i < length; i++)
        if (items[i] >= item_count || items[i] == right || (i > 0 && items[i - 1] >= items[i]))
            return false;
    return true;
}

static bool counts_good(const struct rules *r, uint32_t rule)
{
    uint64_t both = r->both[rule], body = r->body[rule], head = r->head[rule];
    return both > 0 && both <= body && both <= head && body + head - both <= r->basket_count;
}

/* A NAN is good: not asked for. */
static bool tests_good(const struct rules *r, uint32_t rule)
{
    float q = r->q[rule], improvement = r->improvement[rule];
    return !(q <= 0 || q > 1 || improvement < -1 || improvement > 1);
}

int rules_check(const struct rules *r, uint32_t item_count, struct error *err)
{
    if (!r->start || !r->antecedent || !r->consequent || !r->both || !r->body || !r->head ||
        !r->q || !r->improvement)
        return error_set(err, ERR_CORRUPT, "rules: arrays are missing");
    if (r->start[0] != 0)
        return error_set(err, ERR_CORRUPT, "rules: the first does not start at 0");
    for (uint32_t k = 0; k < r->count; k++)
        if (r->start[k + 1] <= r->start[k] || r->start[k + 1] - r->start[k] > RULE_ITEMS_MAX)
            return error_set(err, ERR_CORRUPT, "rules: rule %u has no left side of 1 to %d items",
                             k, RULE_ITEMS_MAX);
    for (uint32_t k = 0; k < r->count; k++) {
        if (!items_good(r, k, item_count))
            return error_set(err, ERR_CORRUPT, "rules: rule %u has bad items", k);
        if (!counts_good(r, k))
            return error_set(err, ERR_CORRUPT, "rules: rule %u has impossible counts", k);
        if (!tests_good(r, k))
            return error_set(err, ERR_CORRUPT, "rules: rule %u has impossible tests", k);
        if (k > 0 && compare_rule(r, k - 1, r->antecedent + r->start[k], body_length(r, k),
                                  r->consequent[k]) >= 0)
            return error_set(err, ERR_CORRUPT, "rules: rule %u is out of order", k);
    }
    return 0;
}
