#include "support/protocol.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/topk.h"
#include "base/vec.h"
#include "support/shared.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS     3
#define FIRST       10
#define ITEMS_MOST  4096
#define DECAY_LEAST 1e-3f

struct run {
    protocol_scorer *score;
    const void *model;
    uint32_t items;
    const uint32_t *units; /* [items] */
    float *scores;         /* [items] */
    bool *shown;           /* [items] */
    struct outcome out;
};

static void run_begin(struct run *run, protocol_scorer *score, const void *model, uint32_t items,
                      const uint32_t *units)
{
    *run = (struct run){.score = score, .model = model, .items = items, .units = units};
    MEM_NEW(run->scores, items);
    MEM_ZNEW(run->shown, items);
    if (!run->scores || !run->shown)
        abort();
}

static struct outcome run_end(struct run *run)
{
    for (uint32_t j = 0; j < run->items; j++)
        run->out.coverage += run->shown[j];
    run->out.coverage /= run->items;
    run->out.hit_rate /= run->out.questions;
    run->out.ndcg /= run->out.questions;
    free(run->scores);
    free(run->shown);
    return run->out;
}

static void ask(struct run *run, const uint32_t *context, uint32_t count, uint32_t target)
{
    struct topk_entry entries[FIRST];
    struct topk first;
    memset(run->scores, 0, run->items * sizeof *run->scores);
    run->score(run->model, context, count, run->scores);
    for (uint32_t c = 0; c < count; c++)
        run->scores[context[c]] = -1e30f;
    topk_init(&first, entries, FIRST);
    for (uint32_t j = 0; j < run->items; j++)
        if (first.count < FIRST || run->scores[j] >= entries[0].score)
            topk_offer(&first, j, run->scores[j], UINT32_MAX - run->units[j]);
    topk_sort(&first);
    run->out.questions++;
    for (uint32_t r = 0; r < first.count; r++) {
        run->shown[entries[r].item] = true;
        if (entries[r].item == target) {
            run->out.hit_rate++;
            run->out.ndcg += 1 / log2(r + 2);
        }
    }
}

void protocol_by_rows(const void *model, const uint32_t *context, uint32_t count, float *scores)
{
    const struct protocol_rows *m = model;
    float weight = 1;
    for (uint32_t c = count; c-- > 0 && weight >= DECAY_LEAST; weight *= m->decay)
        for (uint64_t e = m->rows->start[context[c]]; e < m->rows->start[context[c] + 1]; e++)
            scores[m->rows->column[e]] += weight * m->rows->value[e];
}

bool completion_load(struct completion *c)
{
    *c = (struct completion){0};
    if (!uci_load(&c->uci)) {
        puts("skipped: no shared data");
        return false;
    }
    c->first_test = (uint32_t)(c->uci.baskets.rows * 0.8);
    uci_dataset(&c->uci, c->first_test, &c->train);
    if (!MEM_NEW(c->index, c->uci.codes.count))
        abort();
    memset(c->index, 0xff, c->uci.codes.count * sizeof *c->index);
    for (uint32_t i = 0; i < c->train.item_count; i++)
        c->index[c->train.item_key[i] - 1] = i;
    return true;
}

void completion_free(struct completion *c)
{
    free(c->index);
    dataset_deinit(&c->train);
    uci_free(&c->uci);
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t moved = *a;
    *a = *b;
    *b = moved;
}

struct outcome completion_rank(const struct completion *c, protocol_scorer *score,
                               const void *model)
{
    struct run run;
    struct rng r;
    uint32_t items[ITEMS_MOST];
    rng_seed(&r, 1);
    run_begin(&run, score, model, c->train.item_count, c->train.item_orders);
    for (uint32_t b = c->first_test; b < c->uci.baskets.rows; b++) {
        uint32_t count = 0;
        for (uint64_t e = c->uci.baskets.start[b]; e < c->uci.baskets.start[b + 1]; e++)
            if (c->index[c->uci.baskets.column[e]] != UINT32_MAX && count < ITEMS_MOST)
                items[count++] = c->index[c->uci.baskets.column[e]];
        for (uint32_t t = 0; t < TARGETS && t < count && count >= 2; t++) {
            /* the first t places hold earlier targets: each item is asked for once */
            swap(&items[t], &items[t + rng_below(&r, count - t)]);
            swap(&items[t], &items[0]);
            ask(&run, items + 1, count - 1, items[0]);
            swap(&items[t], &items[0]);
        }
    }
    return run_end(&run);
}

/* "user item item …", items numbered from 1. */
static void read_sequences(struct str text, struct histories *out)
{
    VEC(uint64_t) start = {0};
    VEC(uint32_t) item = {0};
    uint64_t number;
    *out = (struct histories){0};
    while (text.len) {
        struct str line = str_trim(str_cut(&text, '\n'));
        str_cut(&line, ' ');
        if (!VEC_PUSH(&start, item.count))
            abort();
        while (line.len) {
            if (!str_to_u64(str_cut(&line, ' '), &number) || !VEC_PUSH(&item, (uint32_t)number - 1))
                abort();
            out->item_count = number > out->item_count ? (uint32_t)number : out->item_count;
        }
    }
    out->count = (uint32_t)start.count;
    if (!VEC_PUSH(&start, item.count))
        abort();
    out->start = start.at;
    out->item = item.at;
}

static void leave_out(const struct histories *all, uint32_t last, struct histories *out)
{
    *out = (struct histories){.count = all->count, .item_count = all->item_count};
    MEM_ZNEW(out->start, all->count + (size_t)1);
    MEM_NEW(out->item, all->start[all->count]);
    if (!out->start || !out->item)
        abort();
    for (uint32_t r = 0; r < all->count; r++) {
        uint64_t length = all->start[r + 1] - all->start[r], at = out->start[r];
        length = length > last ? length - last : 0;
        memcpy(out->item + at, all->item + all->start[r], length * sizeof *all->item);
        out->start[r + 1] = at + length;
    }
}

bool lastitem_load(struct lastitem *l, const char *name)
{
    struct buf text;
    *l = (struct lastitem){0};
    buf_init(&text, 0);
    if (!shared_unpack(name, &text)) {
        puts("skipped: no shared data");
        buf_deinit(&text);
        return false;
    }
    read_sequences((struct str){text.ptr, text.len}, &l->all);
    buf_deinit(&text);
    leave_out(&l->all, 2, &l->train);
    if (histories_sets(&l->train, &l->sets, NULL) || !MEM_ZNEW(l->units, l->all.item_count))
        abort();
    for (uint64_t e = 0; e < csr_entries(&l->sets); e++)
        l->units[l->sets.column[e]]++;
    return true;
}

void lastitem_free(struct lastitem *l)
{
    histories_deinit(&l->all);
    histories_deinit(&l->train);
    csr_deinit(&l->sets);
    free(l->units);
}

struct outcome lastitem_rank(const struct lastitem *l, protocol_scorer *score, const void *model)
{
    struct run run;
    run_begin(&run, score, model, l->all.item_count, l->units);
    for (uint32_t r = 0; r < l->all.count; r++) {
        const uint32_t *row = l->all.item + l->all.start[r];
        uint64_t length = l->all.start[r + 1] - l->all.start[r];
        if (length >= 2)
            ask(&run, row, (uint32_t)length - 1, row[length - 1]);
    }
    return run_end(&run);
}
