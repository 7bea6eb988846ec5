/* External ids (strings) <-> dense u32 indices 0..count-1, both ways. Grows while a dataset is
 * built, read-only afterwards (then any thread may read). */
#ifndef DATA_DICT_H
#define DATA_DICT_H

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

#define DICT_NONE MAP_NONE

struct dict {
    struct strmap map;
    char *text;        /* all names, one after the other, no separators */
    uint64_t *offsets; /* [count + 1] into text */
    uint32_t count;
    size_t text_cap, offsets_cap;
};

int dict_init(struct dict *d, struct error *err) WARN_UNUSED;
void dict_deinit(struct dict *d);

/* The index of `name`, added when new. ERR_NOMEM; ERR_TOO_LARGE beyond 2^32-2 names. */
int dict_add(struct dict *d, struct str name, uint32_t *index, struct error *err) WARN_UNUSED;

uint32_t dict_find(const struct dict *d, struct str name); /* DICT_NONE: unknown */
struct str dict_name(const struct dict *d,
                     uint32_t index); /* borrowed until deinit or the next add */

/* Rebuilds a dictionary from its two arrays (a loaded model); takes both, also on failure.
 * ERR_CORRUPT when offsets are not ascending, end elsewhere than text_bytes, or names repeat. */
int dict_from_arrays(struct dict *d, char *text, uint64_t text_bytes, uint64_t *offsets,
                     uint32_t count, struct error *err) WARN_UNUSED;
#endif
