#include "support/patterns.h"

#include <string.h>

static bool same(const uint32_t *a, uint64_t a_length, const uint32_t *b, uint32_t b_length)
{
    return a_length == b_length && memcmp(a, b, b_length * sizeof *b) == 0;
}

uint64_t itemsets_find(const struct itemsets *s, const uint32_t *items, uint32_t length)
{
    for (uint64_t k = 0; k < s->count; k++)
        if (same(s->item + s->start[k], s->start[k + 1] - s->start[k], items, length))
            return k;
    return UINT64_MAX;
}

uint32_t rules_find(const struct rules *r, const uint32_t *antecedent, uint32_t length,
                    uint32_t consequent)
{
    for (uint32_t k = 0; k < r->count; k++)
        if (r->consequent[k] == consequent &&
            same(r->antecedent + r->start[k], r->start[k + 1] - r->start[k], antecedent, length))
            return k;
    return UINT32_MAX;
}
