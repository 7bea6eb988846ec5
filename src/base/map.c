/* Linear probing in a power-of-two table at most 3/4 full; deletion shifts back, so there are no
 * tombstones. Keys of the string map lie one after the other in one block; removed keys leave a
 * hole that is squeezed out at the next growth. The hash seed is drawn once per process. */
#include "base/map.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct strmap_slot {
    uint32_t hash; /* low half; value MAP_NONE marks an empty slot */
    uint32_t value;
    uint64_t offset;
    uint32_t length;
};

struct u64map_slot {
    uint64_t key;
    uint32_t value; /* MAP_NONE: empty */
};

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void draw_seed(void)
{
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)(uintptr_t)&seed * 0x9e3779b97f4a7c15u;
}

static uint64_t map_seed(void)
{
    pthread_once(&seed_once, draw_seed);
    return seed;
}

static uint32_t hash_str(struct str key)
{
    return (uint32_t)XXH3_64bits_withSeed(key.ptr ? key.ptr : "", key.len, map_seed());
}

void strmap_init(struct strmap *m)
{
    *m = (struct strmap){0};
}

void strmap_deinit(struct strmap *m)
{
    free(m->slots);
    free(m->keys);
    *m = (struct strmap){0};
}

/* The slot of the key, or the empty one where it would go. */
static size_t str_slot(const struct strmap *m, struct str key, uint32_t hash)
{
    size_t mask = m->cap - 1, at = hash & mask;
    for (;; at = (at + 1) & mask) {
        const struct strmap_slot *s = &m->slots[at];
        if (s->value == MAP_NONE)
            return at;
        if (s->hash == hash && s->length == key.len &&
            (key.len == 0 || memcmp(m->keys + s->offset, key.ptr, key.len) == 0))
            return at;
    }
}

uint32_t strmap_get(const struct strmap *m, struct str key)
{
    if (m->count == 0)
        return MAP_NONE;
    return m->slots[str_slot(m, key, hash_str(key))].value;
}

static bool str_grow(struct strmap *m)
{
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct strmap_slot *slots = mem_array(cap, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < cap; i++)
        slots[i].value = MAP_NONE;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value == MAP_NONE)
            continue;
        size_t at = m->slots[i].hash & (cap - 1);
        while (slots[at].value != MAP_NONE)
            at = (at + 1) & (cap - 1);
        slots[at] = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return true;
}

/* Room for one more key; squeezes out the holes when they are more than half. */
static bool keys_reserve(struct strmap *m, size_t more)
{
    if (m->keys_cap - m->keys_len >= more && m->keys)
        return true;
    size_t alive = 0;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value != MAP_NONE)
            alive += m->slots[i].length;
    size_t cap = mem_grow(alive, alive + more);
    char *keys = mem_array(cap, 1);
    if (!keys)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < m->cap; i++) {
        struct strmap_slot *s = &m->slots[i];
        if (s->value == MAP_NONE)
            continue;
        memcpy(keys + at, m->keys + s->offset, s->length);
        s->offset = at;
        at += s->length;
    }
    free(m->keys);
    m->keys = keys;
    m->keys_len = at;
    m->keys_cap = cap;
    return true;
}

bool strmap_set(struct strmap *m, struct str key, uint32_t value)
{
    assert(value != MAP_NONE && key.len <= UINT32_MAX);
    if ((m->count + 1) * 4 > m->cap * 3 && !str_grow(m))
        return false;
    uint32_t hash = hash_str(key);
    struct strmap_slot *s = &m->slots[str_slot(m, key, hash)];
    if (s->value != MAP_NONE) {
        s->value = value;
        return true;
    }
    if (!keys_reserve(m, key.len))
        return false;
    if (key.len)
        memcpy(m->keys + m->keys_len, key.ptr, key.len);
    *s = (struct strmap_slot){hash, value, m->keys_len, (uint32_t)key.len};
    m->keys_len += key.len;
    m->count++;
    return true;
}

bool strmap_remove(struct strmap *m, struct str key)
{
    if (m->count == 0)
        return false;
    size_t mask = m->cap - 1, hole = str_slot(m, key, hash_str(key));
    if (m->slots[hole].value == MAP_NONE)
        return false;
    for (size_t at = (hole + 1) & mask; m->slots[at].value != MAP_NONE; at = (at + 1) & mask) {
        size_t home = m->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole].value = MAP_NONE;
    m->count--;
    return true;
}

size_t strmap_bytes(const struct strmap *m)
{
    return m->cap * sizeof *m->slots + m->keys_cap;
}

static uint64_t hash_u64(uint64_t key)
{
    key ^= map_seed();
    key = (key ^ (key >> 32)) * 0x9fb21c651e98df25u;
    return key ^ (key >> 35);
}

void u64map_init(struct u64map *m)
{
    *m = (struct u64map){0};
}

void u64map_deinit(struct u64map *m)
{
    free(m->slots);
    *m = (struct u64map){0};
}

static size_t u64_slot(const struct u64map_slot *slots, size_t cap, uint64_t key)
{
    size_t at = hash_u64(key) & (cap - 1);
    while (slots[at].value != MAP_NONE && slots[at].key != key)
        at = (at + 1) & (cap - 1);
    return at;
}

uint32_t u64map_get(const struct u64map *m, uint64_t key)
{
    return m->count ? m->slots[u64_slot(m->slots, m->cap, key)].value : MAP_NONE;
}

static bool u64_grow(struct u64map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct u64map_slot *slots = mem_array(cap, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < cap; i++)
        slots[i].value = MAP_NONE;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value != MAP_NONE)
            slots[u64_slot(slots, cap, m->slots[i].key)] = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return true;
}

bool u64map_set(struct u64map *m, uint64_t key, uint32_t value)
{
    assert(value != MAP_NONE);
    if ((m->count + 1) * 4 > m->cap * 3 && !u64_grow(m))
        return false;
    struct u64map_slot *s = &m->slots[u64_slot(m->slots, m->cap, key)];
    m->count += s->value == MAP_NONE;
    *s = (struct u64map_slot){key, value};
    return true;
}
