/* Dense baskets: how many hold both of two items, for all pairs, from one bitmap of baskets for
 * each item: an AND and a population count over 64 baskets at a time, where a sweep would step
 * through every pair of every basket. The processor's instruction is used where there is one. */
#include "itemsets_internal.h"

#include "base/mem.h"

#include <stdlib.h>

#if defined __x86_64__
#define WITH_POPCNT __attribute__((target("popcnt")))
#define HAS_POPCNT  __builtin_cpu_supports("popcnt")
#else
#define WITH_POPCNT
#define HAS_POPCNT 1
#endif

/* Both functions count the bits that two bitmaps share. */
static inline __attribute__((always_inline)) uint32_t shared_bits(const uint64_t *a,
                                                                  const uint64_t *b, size_t words)
{
    uint64_t bits = 0;
    for (size_t k = 0; k < words; k++)
        bits += (uint64_t)__builtin_popcountll(a[k] & b[k]);
    return (uint32_t)bits;
}

static WITH_POPCNT uint32_t shared_fast(const uint64_t *a, const uint64_t *b, size_t words)
{
    return shared_bits(a, b, words);
}

static uint32_t shared_plain(const uint64_t *a, const uint64_t *b, size_t words)
{
    return shared_bits(a, b, words);
}

uint32_t *pairs_count(const uint64_t *bitmaps, uint32_t item_count, size_t words, bool plain)
{
    uint32_t *pairs = mem_array((size_t)item_count * item_count, sizeof *pairs);
    bool fast = !plain && HAS_POPCNT;
    for (uint32_t a = 0; pairs && a < item_count; a++)
        for (uint32_t b = 0; b <= a; b++) {
            const uint64_t *x = bitmaps + a * words, *y = bitmaps + b * words;
            uint32_t both = fast ? shared_fast(x, y, words) : shared_plain(x, y, words);
            pairs[(size_t)a * item_count + b] = pairs[(size_t)b * item_count + a] = both;
        }
    return pairs;
}
