/* Names are kept twice: in the hash map (name -> index) and in one text with offsets (index ->
 * name), so that the two arrays can be written to a model as they are. An add that fails leaves
 * the dictionary as it was. Cost: one hash and, when new, two amortised appends. */
#include "data/dict.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "dictionary: out of memory");
}

int dict_init(struct dict *d, struct error *err)
{
    *d = (struct dict){0};
    strmap_init(&d->map);
    d->offsets_cap = 64;
    if (!MEM_ZNEW(d->offsets, d->offsets_cap)) {
        d->offsets_cap = 0;
        return out_of_memory(err);
    }
    return 0;
}

void dict_deinit(struct dict *d)
{
    strmap_deinit(&d->map);
    free(d->text);
    free(d->offsets);
    *d = (struct dict){0};
    strmap_init(&d->map);
}

static bool reserve_text(struct dict *d, size_t more)
{
    size_t need = d->offsets[d->count] + more;
    if (need <= d->text_cap)
        return true;
    size_t cap = mem_grow(d->text_cap, need);
    char *text = mem_resize(d->text, cap, 1);
    if (!text)
        return false;
    d->text = text;
    d->text_cap = cap;
    return true;
}

static bool reserve_offset(struct dict *d)
{
    size_t need = (size_t)d->count + 2;
    if (need <= d->offsets_cap)
        return true;
    size_t cap = mem_grow(d->offsets_cap, need);
    uint64_t *offsets = mem_resize(d->offsets, cap, sizeof *offsets);
    if (!offsets)
        return false;
    d->offsets = offsets;
    d->offsets_cap = cap;
    return true;
}

int dict_add(struct dict *d, struct str name, uint32_t *index, struct error *err)
{
    uint32_t known = strmap_get(&d->map, name);
    if (known != MAP_NONE) {
        *index = known;
        return 0;
    }
    if (d->count >= DICT_NONE - 1)
        return error_set(err, ERR_TOO_LARGE, "dictionary: more than %u names", DICT_NONE - 1);
    if (!reserve_text(d, name.len) || !reserve_offset(d) || !strmap_set(&d->map, name, d->count))
        return out_of_memory(err);
    uint64_t end = d->offsets[d->count];
    if (name.len)
        memcpy(d->text + end, name.ptr, name.len);
    d->offsets[d->count + 1] = end + name.len;
    *index = d->count++;
    return 0;
}

uint32_t dict_find(const struct dict *d, struct str name)
{
    return strmap_get(&d->map, name);
}

struct str dict_name(const struct dict *d, uint32_t index)
{
    assert(index < d->count);
    uint64_t begin = d->offsets[index];
    return (struct str){d->text ? d->text + begin : "", d->offsets[index + 1] - begin};
}

static int check_offsets(const struct dict *d, uint64_t text_bytes, struct error *err)
{
    if (d->offsets[0] != 0 || d->offsets[d->count] != text_bytes)
        return error_set(err, ERR_CORRUPT, "dictionary: offsets do not span the text");
    for (uint32_t i = 0; i < d->count; i++)
        if (d->offsets[i] > d->offsets[i + 1])
            return error_set(err, ERR_CORRUPT, "dictionary: offsets are not ascending");
    return 0;
}

int dict_from_arrays(struct dict *d, char *text, uint64_t text_bytes, uint64_t *offsets,
                     uint32_t count, struct error *err)
{
    *d = (struct dict){.text = text,
                       .offsets = offsets,
                       .count = count,
                       .text_cap = text_bytes,
                       .offsets_cap = (size_t)count + 1};
    strmap_init(&d->map);
    int rc = check_offsets(d, text_bytes, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct str name = dict_name(d, i);
        if (strmap_get(&d->map, name) != MAP_NONE)
            rc = error_set(err, ERR_CORRUPT, "dictionary: a name stands twice");
        else if (!strmap_set(&d->map, name, i))
            rc = out_of_memory(err);
    }
    if (rc)
        dict_deinit(d);
    return rc;
}
