/* Hash maps to u32: open addressing with linear probing (Knuth, vol. 3, 6.4).
 *
 *     slots   [ . | hash value offset | hash value offset | . | … ]     16 bytes each
 *     keys    [ length bytes | length bytes | … ]                       in the order of adding
 *
 * A lookup hashes, walks the slots from the key's home and looks at a key only when all 32 bits of
 * the hash agree, so it usually touches one line of slots and one of keys. MAP_NONE as value marks
 * a free slot. Removing shifts the rest of the cluster back, so there are no tombstones and lookups
 * never get slower; the bytes of removed keys stay until half of all are dead, then they are
 * packed.
 *
 * The seed is drawn once per process: chosen ids cannot be made to collide. */
#include "base/map.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SMALLEST 16
/* Packing fewer dead bytes than this is not worth the walk. */
#define DEAD_WORTH_PACKING 4096

struct strmap_slot {
    uint32_t hash, value;
    uint64_t offset; /* of the key's length in `keys` */
};

struct u64map_slot {
    uint64_t key;
    uint32_t value;
};

_Static_assert(sizeof(struct strmap_slot) == 16, "four slots in a cache line");

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

/* Without random numbers (a kernel that has just started) the address of the program must do. */
static void draw_seed(void)
{
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)(uintptr_t)&seed * UINT64_C(0x9e3779b97f4a7c15);
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

static uint64_t hash_u64(uint64_t key)
{
    return XXH3_64bits_withSeed(&key, sizeof key, map_seed());
}

static bool too_full(size_t count, size_t cap)
{
    return count >= cap / 4 * 3;
}

static struct str key_at(const struct strmap *m, uint64_t offset)
{
    uint32_t length;
    memcpy(&length, m->keys + offset, sizeof length);
    return (struct str){m->keys + offset + sizeof length, length};
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

/* The slot of the key, or the free one where it belongs. The map has slots, some of them free. */
static struct strmap_slot *find(const struct strmap *m, struct str key, uint32_t hash)
{
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct strmap_slot *slot = &m->slots[i];
        if (slot->value == MAP_NONE)
            return slot;
        if (slot->hash == hash && str_eq(key_at(m, slot->offset), key))
            return slot;
    }
}

uint32_t strmap_get(const struct strmap *m, struct str key)
{
    if (m->count == 0)
        return MAP_NONE;
    return find(m, key, hash_str(key))->value;
}

static bool grow_slots(struct strmap *m)
{
    size_t cap = m->cap > 0 ? m->cap * 2 : SMALLEST;
    struct strmap_slot *slots = mem_array(cap, sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0xFF, cap * sizeof *slots);
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

static bool append_key(struct strmap *m, struct str key)
{
    uint32_t length = (uint32_t)key.len;
    size_t need = m->keys_len + sizeof length + key.len;
    if (need > m->keys_cap) {
        size_t cap = mem_grow(m->keys_cap, need);
        char *keys = mem_resize(m->keys, cap, 1);
        if (!keys)
            return false;
        m->keys = keys;
        m->keys_cap = cap;
    }
    memcpy(m->keys + m->keys_len, &length, sizeof length);
    if (length > 0)
        memcpy(m->keys + m->keys_len + sizeof length, key.ptr, length);
    m->keys_len = need;
    return true;
}

bool strmap_set(struct strmap *m, struct str key, uint32_t value)
{
    assert(value != MAP_NONE);
    assert(key.len <= UINT32_MAX);
    uint32_t hash = hash_str(key);
    if (m->count > 0) {
        struct strmap_slot *slot = find(m, key, hash);
        if (slot->value != MAP_NONE) {
            slot->value = value;
            return true;
        }
    }
    if (too_full(m->count, m->cap) && !grow_slots(m))
        return false;
    uint64_t offset = m->keys_len;
    if (!append_key(m, key))
        return false;
    *find(m, key, hash) = (struct strmap_slot){hash, value, offset};
    m->count++;
    return true;
}

/* Copies the living keys to a new block, in the order of the slots. Without memory for it the dead
 * ones just stay. */
static void pack_keys(struct strmap *m)
{
    size_t cap = m->keys_len - m->keys_dead;
    char *keys = mem_array(cap, 1);
    if (!keys)
        return;
    size_t fill = 0;
    for (size_t i = 0; i < m->cap; i++) {
        struct strmap_slot *slot = &m->slots[i];
        if (slot->value == MAP_NONE)
            continue;
        size_t bytes = sizeof(uint32_t) + key_at(m, slot->offset).len;
        memcpy(keys + fill, m->keys + slot->offset, bytes);
        slot->offset = fill;
        fill += bytes;
    }
    assert(fill == cap);
    free(m->keys);
    m->keys = keys;
    m->keys_len = fill;
    m->keys_cap = cap;
    m->keys_dead = 0;
}

/* Closes the gap at `hole`: every later slot of the cluster that may stand there moves up. */
static void shift_back(struct strmap *m, size_t hole)
{
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].value != MAP_NONE; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = MAP_NONE;
}

bool strmap_remove(struct strmap *m, struct str key)
{
    if (m->count == 0)
        return false;
    struct strmap_slot *slot = find(m, key, hash_str(key));
    if (slot->value == MAP_NONE)
        return false;
    shift_back(m, (size_t)(slot - m->slots));
    m->count--;
    m->keys_dead += sizeof(uint32_t) + key.len;
    if (m->keys_dead >= DEAD_WORTH_PACKING && m->keys_dead >= m->keys_len / 2)
        pack_keys(m);
    return true;
}

size_t strmap_bytes(const struct strmap *m)
{
    return m->cap * sizeof *m->slots + m->keys_cap;
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

static struct u64map_slot *u64_find(struct u64map_slot *slots, size_t cap, uint64_t key)
{
    size_t mask = cap - 1;
    for (size_t i = hash_u64(key) & mask;; i = (i + 1) & mask) {
        if (slots[i].value == MAP_NONE || slots[i].key == key)
            return &slots[i];
    }
}

uint32_t u64map_get(const struct u64map *m, uint64_t key)
{
    return m->count > 0 ? u64_find(m->slots, m->cap, key)->value : MAP_NONE;
}

static bool u64_grow(struct u64map *m)
{
    size_t cap = m->cap > 0 ? m->cap * 2 : SMALLEST;
    struct u64map_slot *slots = mem_array(cap, sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0xFF, cap * sizeof *slots);
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value != MAP_NONE)
            *u64_find(slots, cap, m->slots[i].key) = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return true;
}

bool u64map_set(struct u64map *m, uint64_t key, uint32_t value)
{
    assert(value != MAP_NONE);
    if (m->count > 0) {
        struct u64map_slot *slot = u64_find(m->slots, m->cap, key);
        if (slot->value != MAP_NONE) {
            slot->value = value;
            return true;
        }
    }
    if (too_full(m->count, m->cap) && !u64_grow(m))
        return false;
    *u64_find(m->slots, m->cap, key) = (struct u64map_slot){key, value};
    m->count++;
    return true;
}
