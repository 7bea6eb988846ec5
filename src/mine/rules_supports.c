/* Open addressing with linear probing; a key's place is its share of 2^64 times the table's size.
 * At most two thirds full. Building costs O(items), a look-up about one cache miss. Two different
 * sets have one key with a chance of n^2/2^65, one in two million for four million sets; then all
 * keys are made anew from the next seed. */
#include "rules_internal.h"

#include <assert.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

/* splitmix64's mixing (Steele, Lea, Flood 2014). */
uint64_t supports_key(const struct supports *s, uint32_t item)
{
    uint64_t z = s->seed + ((uint64_t)item + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t place_of(const struct supports *s, uint64_t key)
{
    return (uint64_t)((u128)key * s->size >> 64);
}

static bool is_key(const struct support_slot *slot, uint64_t key)
{
    return slot->key_low == (uint32_t)key && slot->key_high == (uint32_t)(key >> 32);
}

/* False: the key is there already. */
static bool insert(struct supports *s, uint64_t key, uint32_t support)
{
    uint64_t at = place_of(s, key);
    while (s->slots[at].support) {
        if (is_key(&s->slots[at], key))
            return false;
        at = at + 1 < s->size ? at + 1 : 0;
    }
    s->slots[at] = (struct support_slot){(uint32_t)key, (uint32_t)(key >> 32), support};
    return true;
}

static bool fill(struct supports *s, const struct itemsets *sets, uint64_t count)
{
    for (uint64_t k = 0; k < count; k++) {
        uint64_t key = 0;
        for (uint64_t e = sets->start[k]; e < sets->start[k + 1]; e++)
            key += supports_key(s, sets->item[e]);
        if (key == 0 || !insert(s, key, sets->support[k])) /* 0 is an empty slot's */
            return false;
    }
    return true;
}

int supports_build(const struct itemsets *sets, uint64_t count, struct supports *out,
                   struct error *err)
{
    for (uint64_t seed = 1;; seed++) {
        struct supports s = {.size = count + count / 2 + 16, .seed = seed};
        if (!MEM_ZNEW(s.slots, s.size))
            return error_set(err, ERR_NOMEM, "rules: out of memory");
        if (fill(&s, sets, count)) {
            *out = s;
            return 0;
        }
        supports_deinit(&s);
    }
}

void supports_deinit(struct supports *s)
{
    free(s->slots);
    *s = (struct supports){0};
}

uint32_t supports_get(const struct supports *s, uint64_t key)
{
    uint64_t at = place_of(s, key);
    while (!is_key(&s->slots[at], key)) {
        assert(s->slots[at].support); /* a subset of a frequent set is frequent */
        at = at + 1 < s->size ? at + 1 : 0;
    }
    return s->slots[at].support;
}
