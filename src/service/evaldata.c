/* Each source fills the dataset and the names; what follows from them is done here. */
#include "evaldata_internal.h"

#include "service/textfile.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const char sequences_name[] = "sequences";

const char *evaldata_format_name(enum reader_format format)
{
    return format == FORMAT_SEQUENCES ? sequences_name : reader_format_name(format);
}

bool evaldata_format_parse(struct str name, enum reader_format *out)
{
    if (!str_eq(name, str_of(sequences_name)))
        return reader_format_parse(name, out);
    *out = FORMAT_SEQUENCES;
    return true;
}

struct named {
    struct str name;
    uint32_t item;
};

static int compare_named(const void *a, const void *b)
{
    return str_cmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int rank_ids(struct evaldata *d, struct error *err)
{
    uint32_t items = d->orders.item_count;
    struct named *list;
    MEM_NEW(list, items);
    MEM_NEW(d->id_rank, items);
    if (!list || !d->id_rank) {
        free(list);
        return error_set(err, ERR_NOMEM, "out of memory for the items");
    }
    for (uint32_t i = 0; i < items; i++)
        list[i] = (struct named){dict_name(&d->names, d->name[i]), i};
    qsort(list, items, sizeof *list, compare_named);
    for (uint32_t r = 0; r < items; r++)
        d->id_rank[list[r].item] = r;
    free(list);
    return 0;
}

static void add_hash(uint64_t *hash, const void *bytes, size_t count)
{
    *hash = XXH3_64bits_withSeed(bytes, count, *hash);
}

static uint64_t hash_of(const struct evaldata *d)
{
    const struct dataset *o = &d->orders;
    uint64_t hash = d->timed;
    add_hash(&hash, o->baskets.start, ((size_t)o->basket_count + 1) * sizeof *o->baskets.start);
    add_hash(&hash, o->baskets.column, csr_entries(&o->baskets) * sizeof *o->baskets.column);
    add_hash(&hash, o->time_ms, o->basket_count * sizeof *o->time_ms);
    add_hash(&hash, o->user, o->basket_count * sizeof *o->user);
    for (uint32_t i = 0; i < o->item_count; i++) {
        struct str name = dict_name(&d->names, d->name[i]);
        add_hash(&hash, name.ptr, name.len);
    }
    return hash;
}

/* Files number items as they come. */
static int finish(struct evaldata *out, struct error *err)
{
    int rc = dataset_finish(&out->orders, err);
    if (rc)
        return rc;
    if (!MEM_NEW(out->name, out->orders.item_count))
        return error_set(err, ERR_NOMEM, "out of memory for the items");
    for (uint32_t i = 0; i < out->orders.item_count; i++)
        out->name[i] = out->orders.item_key[i] - 1;
    return 0;
}

static int read_file(struct gathering *g, struct error *err)
{
    struct textfile file;
    struct error local = ERROR_INIT;
    const char *path = g->request->path;
    int rc = textfile_open(path, g->request->progress, &file, err);
    if (rc)
        return rc;
    rc = g->request->format == FORMAT_SEQUENCES ? evaldata_sequences(g, file.text, &local)
                                                : evaldata_records(g, file.text, &local);
    rc = textfile_done(&file, path, rc, &local, err);
    return rc ? rc : finish(g->out, err);
}

static void gathering_deinit(struct gathering *g)
{
    session_builder_free(g->events);
    dict_deinit(&g->shoppers);
    strmap_deinit(&g->orders);
    VEC_FREE(&g->key);
    VEC_FREE(&g->start);
    VEC_FREE(&g->time_ms);
    VEC_FREE(&g->user);
    VEC_FREE(&g->gone);
}

static int gather(struct gathering *g, struct error *err)
{
    const struct dataset_limits limits = {.max_order_items = UINT32_MAX};
    struct evaldata *out = g->out;
    strmap_init(&g->orders);
    int rc = dict_init(&g->shoppers, err);
    if (rc == 0)
        rc = dict_init(&out->names, err);
    if (rc == 0)
        rc = dataset_init(&out->orders, &limits, err);
    if (rc == 0)
        rc = g->request->path ? read_file(g, err) : evaldata_store(g, err);
    return rc ? rc : rank_ids(out, err);
}

int evaldata_read(const struct evaldata_request *request, struct evaldata *out, struct error *err)
{
    struct evaldata made = {.format = request->format};
    struct gathering g = {.request = request, .out = &made};
    progress_begin(request->progress, "reading", 0);
    int rc = gather(&g, err);
    gathering_deinit(&g);
    if (rc) {
        evaldata_deinit(&made);
        return rc;
    }
    made.hash = hash_of(&made);
    *out = made;
    return 0;
}

void evaldata_deinit(struct evaldata *d)
{
    dataset_deinit(&d->orders);
    dict_deinit(&d->names);
    free(d->name);
    free(d->id_rank);
    *d = (struct evaldata){0};
}
