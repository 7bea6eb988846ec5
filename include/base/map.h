/* Hash maps to u32: from strings (ids) and from u64. Open addressing, XXH3 with a random seed per
 * process, so that chosen ids cannot make it slow. Reading is safe from many threads while nobody
 * writes. MAP_NONE = absent. Values may be anything but MAP_NONE. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct strmap {
    struct strmap_slot *slots; /* {hash32, value, key offset} */
    size_t count, cap;         /* cap is a power of two, at most 3/4 full */
    char *keys;                /* the map's own copy of the keys, each behind its length */
    size_t keys_len, keys_cap, keys_dead; /* bytes; dead: of removed keys */
};

void strmap_init(struct strmap *m);
void strmap_deinit(struct strmap *m);
uint32_t strmap_get(const struct strmap *m, struct str key);
/* Adds or overwrites. False = out of memory, map unchanged. */
bool strmap_set(struct strmap *m, struct str key, uint32_t value)
    __attribute__((warn_unused_result));
bool strmap_remove(struct strmap *m, struct str key); /* false: was not there */
size_t strmap_bytes(const struct strmap *m);

struct u64map {
    struct u64map_slot *slots; /* {key, value} */
    size_t count, cap;
};

void u64map_init(struct u64map *m);
void u64map_deinit(struct u64map *m);
uint32_t u64map_get(const struct u64map *m, uint64_t key);
bool u64map_set(struct u64map *m, uint64_t key, uint32_t value) __attribute__((warn_unused_result));

#endif
