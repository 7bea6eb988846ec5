/* Baskets are in time order, so that two passes over them, one to count and one to place, leave
 * each row oldest first. Linear in the lines. */
#include "data/histories.h"

#include "base/mem.h"
#include "data/baskets.h"
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

void histories_deinit(struct histories *h)
{
    free(h->start);
    free(h->item);
    free(h->time_ms);
    free(h->weight);
    *h = (struct histories){0};
}

size_t histories_bytes(const struct histories *h)
{
    if (!h->start)
        return 0;
    uint64_t entries = h->start[h->count];
    return (h->count + (uint64_t)1) * sizeof *h->start +
           entries * (sizeof *h->item + (h->time_ms ? sizeof *h->time_ms : 0) +
                      (h->weight ? sizeof *h->weight : 0));
}

static uint64_t basket_size(const struct csr *baskets, uint32_t b)
{
    return baskets->start[b + 1] - baskets->start[b];
}

/* Places each basket behind what its user has so far; start[u + 1] is where user u's next one goes,
 * and in the end where the row ends. */
static void place(const struct dataset *d, struct histories *h)
{
    const struct csr *baskets = &d->baskets;
    for (uint32_t b = 0; b < d->basket_count; b++) {
        if (d->user[b] == DATASET_NO_USER)
            continue;
        uint64_t *at = &h->start[d->user[b] + 1];
        for (uint64_t x = baskets->start[b]; x < baskets->start[b + 1]; x++) {
            h->item[*at] = baskets->column[x];
            h->time_ms[(*at)++] = d->time_ms[b];
        }
    }
}

int histories_of_users(const struct dataset *d, struct histories *out, struct error *err)
{
    struct histories h = {.count = d->user_count, .item_count = d->item_count};
    uint64_t entries = 0;
    *out = (struct histories){0};
    if (!MEM_ZNEW(h.start, h.count + (size_t)1))
        return error_set(err, ERR_NOMEM, "histories: out of memory");
    for (uint32_t b = 0; b < d->basket_count; b++)
        if (d->user[b] != DATASET_NO_USER)
            h.start[d->user[b] + 1] += basket_size(&d->baskets, b);
    for (uint32_t u = 0; u < h.count; u++) { /* from sizes to where each row begins */
        uint64_t size = h.start[u + 1];
        h.start[u + 1] = entries;
        entries += size;
    }
    if (!MEM_NEW(h.item, entries) || !MEM_NEW(h.time_ms, entries)) {
        histories_deinit(&h);
        return error_set(err, ERR_NOMEM, "histories: out of memory");
    }
    place(d, &h);
    *out = h;
    return 0;
}

static int64_t newest_of(const struct dataset *d)
{
    const struct histories *visits = &d->sessions.rows;
    int64_t newest = d->basket_count ? d->time_ms[d->basket_count - 1] : INT64_MIN;
    for (uint64_t e = 0; visits->start && e < visits->start[visits->count]; e++)
        newest = visits->time_ms[e] > newest ? visits->time_ms[e] : newest;
    return newest;
}

int histories_of_visits(const struct dataset *d, struct histories *out, struct error *err)
{
    const struct histories *visits = &d->sessions.rows;
    struct histories h = {.count = visits->start ? visits->count : 0, .item_count = d->item_count};
    uint64_t entries = h.count ? visits->start[h.count] : 0, kept = 0;
    int64_t now = newest_of(d);
    *out = (struct histories){0};
    MEM_ZNEW(h.start, h.count + (size_t)1);
    MEM_NEW(h.item, entries);
    MEM_NEW(h.weight, entries);
    if (!h.start || !h.item || !h.weight) {
        histories_deinit(&h);
        return error_set(err, ERR_NOMEM, "histories: out of memory");
    }
    for (uint32_t v = 0; v < h.count; v++) {
        for (uint64_t e = visits->start[v]; e < visits->start[v + 1]; e++) {
            const struct event_weight *kind = &d->weights.of[d->sessions.action[e]];
            h.item[kept] = visits->item[e];
            h.weight[kept] = (float)event_weight_at(kind, now - visits->time_ms[e]);
            kept += h.weight[kept] > 0;
        }
        h.start[v + 1] = kept;
    }
    *out = h;
    return 0;
}

int histories_sets(const struct histories *h, struct csr *out, struct error *err)
{
    int rc = csr_alloc(out, h->count, h->item_count, h->start[h->count], 0, err);
    if (rc)
        return rc;
    uint64_t at = 0;
    for (uint32_t r = 0; r < h->count; r++) {
        uint64_t size = h->start[r + 1] - h->start[r];
        memcpy(out->column + at, h->item + h->start[r], size * sizeof *h->item);
        at += basket_row_sort(out->column + at, size);
        out->start[r + 1] = at;
    }
    return 0;
}
