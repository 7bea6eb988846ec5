/* Linear probing, at most three quarters full; a pair that is counted down to nothing leaves no
 * gap, the ones behind it move up. The table is zeroed memory that is only touched where pairs
 * are. */
#include "fresh_internal.h"

#include "base/mem.h"

#include <assert.h>

bool fresh_pairs_init(struct fresh *f)
{
    uint64_t need = ((uint64_t)f->limits.pairs + FRESH_PAIR_ITEMS * FRESH_PAIR_ITEMS / 2) * 4 / 3;
    f->pair_cap = 64;
    while (f->pair_cap <= need)
        f->pair_cap *= 2;
    return MEM_ZNEW(f->pairs, f->pair_cap) != NULL;
}

/* Chosen pairs cannot make it slow: indices are handed out here, in order of first sight. */
static uint32_t home_of(const struct fresh *f, uint32_t low, uint32_t high)
{
    uint64_t mixed = ((uint64_t)high << 32 | low) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32) & (f->pair_cap - 1);
}

static uint32_t find(const struct fresh *f, uint32_t low, uint32_t high)
{
    uint32_t at = home_of(f, low, high);
    while (f->pairs[at].both && (f->pairs[at].low != low || f->pairs[at].high != high))
        at = (at + 1) & (f->pair_cap - 1);
    return at;
}

static void close_gap(struct fresh *f, uint32_t hole)
{
    const uint32_t mask = f->pair_cap - 1;
    for (uint32_t i = (hole + 1) & mask; f->pairs[i].both; i = (i + 1) & mask) {
        uint32_t home = home_of(f, f->pairs[i].low, f->pairs[i].high);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            f->pairs[hole] = f->pairs[i];
            hole = i;
        }
    }
    f->pairs[hole].both = 0;
}

uint32_t fresh_pairs_add(struct fresh *f, uint32_t a, uint32_t b, int step)
{
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    uint32_t at = find(f, low, high);
    struct fresh_pair *pair = &f->pairs[at];
    if (step > 0) {
        f->pair_count += pair->both == 0;
        *pair = (struct fresh_pair){low, high, pair->both + 1};
        return pair->both;
    }
    assert(pair->both > 0);
    uint32_t left = --pair->both;
    if (left == 0) {
        f->pair_count--;
        close_gap(f, at);
    }
    return left;
}

uint32_t fresh_both(const struct fresh *f, uint32_t a, uint32_t b)
{
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    return a == b ? 0 : f->pairs[find(f, low, high)].both;
}
