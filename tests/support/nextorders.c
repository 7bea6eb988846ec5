#include "support/nextorders.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/topk.h"

#include <stdio.h>
#include <stdlib.h>

#define TOP 10

bool nextorders_uci(struct nextorders *n, uint32_t part, uint32_t of)
{
    if (!uci_load(&n->uci)) {
        printf("skipped: no shared data\n");
        return false;
    }
    uint32_t learnt = (uint32_t)((uint64_t)n->uci.baskets.rows * part / of);
    struct u64map index;
    u64map_init(&index);
    uci_dataset(&n->uci, learnt, &n->train);
    if (histories_of_users(&n->train, &n->history, NULL) || !MEM_NEW(n->order, n->history.count))
        abort();
    for (uint32_t u = 0; u < n->history.count; u++)
        n->order[u] = UINT32_MAX;
    for (uint32_t b = 0; b < learnt; b++)
        if (n->uci.user[b] && !u64map_set(&index, n->uci.user[b], n->train.user[b]))
            abort();
    for (uint32_t b = learnt; b < n->uci.baskets.rows; b++) {
        uint32_t user = n->uci.user[b] ? u64map_get(&index, n->uci.user[b]) : MAP_NONE;
        if (user != MAP_NONE && n->order[user] == UINT32_MAX)
            n->order[user] = b;
    }
    u64map_deinit(&index);
    if (!MEM_NEW(n->item_of, n->uci.codes.count))
        abort();
    for (uint32_t c = 0; c < n->uci.codes.count; c++)
        n->item_of[c] = UINT32_MAX;
    for (uint32_t i = 0; i < n->train.item_count; i++)
        n->item_of[n->train.item_key[i] - 1] = i;
    return true;
}

void nextorders_free(struct nextorders *n)
{
    uci_free(&n->uci);
    dataset_deinit(&n->train);
    histories_deinit(&n->history);
    free(n->order);
    free(n->item_of);
}

/* Adds one shopper's recalls. */
static void judge(const struct nextorders *n, uint32_t user, const struct topk *best,
                  const bool *own, struct recall *sum, uint32_t *repeaters)
{
    const struct csr *baskets = &n->uci.baskets;
    uint32_t known = 0, hits = 0, repeats = 0, repeat_hits = 0, order = n->order[user];
    for (uint64_t x = baskets->start[order]; x < baskets->start[order + 1]; x++) {
        uint32_t item = n->item_of[baskets->column[x]];
        if (item == UINT32_MAX)
            continue;
        bool hit = false;
        for (uint32_t k = 0; k < best->count; k++)
            hit = hit || best->entries[k].item == item;
        known++;
        hits += hit;
        repeats += own[item];
        repeat_hits += hit && own[item];
    }
    if (known == 0)
        return;
    sum->shoppers++;
    sum->all += (double)hits / known;
    if (repeats == 0)
        return;
    ++*repeaters;
    sum->repeat += (double)repeat_hits / repeats;
}

struct recall nextorders_recall(const struct nextorders *n, const char *name,
                                void (*score)(void *context, const struct history *of,
                                              int64_t now_ms, float *score),
                                void *context)
{
    const struct dataset *d = &n->train;
    struct recall sum = {0};
    uint32_t repeaters = 0;
    float *scores;
    bool *own;
    if (!MEM_NEW(scores, d->item_count) || !MEM_ZNEW(own, d->item_count))
        abort();
    for (uint32_t u = 0; u < n->history.count; u++) {
        struct history of = history_of(&n->history, u);
        struct topk_entry entries[TOP];
        struct topk best;
        if (n->order[u] == UINT32_MAX)
            continue;
        score(context, &of, n->uci.time_ms[n->order[u]], scores);
        topk_init(&best, entries, TOP);
        for (uint32_t i = 0; i < d->item_count; i++)
            topk_offer(&best, i, scores[i], UINT32_MAX - d->item_orders[i]);
        for (uint64_t x = 0; x < of.count; x++)
            own[of.item[x]] = true;
        judge(n, u, &best, own, &sum, &repeaters);
        for (uint64_t x = 0; x < of.count; x++)
            own[of.item[x]] = false;
    }
    free(scores);
    free(own);
    sum.all /= sum.shoppers;
    sum.repeat /= repeaters;
    printf("  %-24s recall@10 %.4f (%u shoppers), of what they had bought %.4f (%u)\n", name,
           sum.all, sum.shoppers, sum.repeat, repeaters);
    return sum;
}
