/* Each worker appends records [support, items ascending] to one array per set length. The arrays
 * are put together at the end by a radix sort, item by item, so canonical order costs O(entries).
 *
 * Budget: workers report the supports of what they kept in batches. `seen` counts reported sets by
 * support; while those at or above the threshold are more than the budget, the threshold goes up by
 * one. What is reported is part of all there is, so the threshold never passes the smallest one
 * that keeps the budget, and once everything is reported it is that one: it does not depend on the
 * order of the search. A worker drops what fell below whenever its records have doubled. */
#include "itemsets_internal.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/vec.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BATCH        4096
#define COMPACT_FROM 65536 /* records; fewer are never worth going through */
#define SORT_CHUNK   (1u << 16)

struct records {
    VEC(uint32_t) words;
};

struct kept {
    uint32_t support, length;
};

struct shelf {          /* one worker's */
    struct records *of; /* [length_span] */
    uint32_t *set;      /* [length_span] */
    uint64_t count, compact_at;
    struct kept batch[BATCH];
    uint32_t batch_count;
};

struct amount {
    uint64_t sets, bytes;
};

/* Of a set of so many items: in its record, in the result, and while these are put in order. */
#define SET_BYTES(length) (8 * (uint64_t)(length) + 32)

struct keeper {
    atomic_uint threshold;
    pthread_mutex_t lock;      /* over seen and total */
    struct amount *seen;       /* [basket_count + 1] what was reported, by support */
    struct amount total, most; /* of that at or above the threshold; the budgets */
    uint32_t length_span, worker_count;
    struct shelf **shelves;
    struct progress *progress;
};

static void shelf_free(struct shelf *shelf, uint32_t length_span)
{
    for (uint32_t length = 1; shelf && shelf->of && length < length_span; length++)
        VEC_FREE(&shelf->of[length].words);
    if (shelf) {
        free(shelf->of);
        free(shelf->set);
    }
    free(shelf);
}

static struct shelf *shelf_new(uint32_t length_span)
{
    struct shelf *shelf;
    if (!MEM_ZNEW(shelf, 1))
        return NULL;
    shelf->compact_at = COMPACT_FROM;
    MEM_ZNEW(shelf->of, length_span);
    MEM_NEW(shelf->set, length_span);
    if (shelf->of && shelf->set)
        return shelf;
    shelf_free(shelf, length_span);
    return NULL;
}

struct keeper *keeper_new(const struct keeper_params *params)
{
    uint32_t workers = params->workers;
    struct keeper *k;
    if (!MEM_ZNEW(k, 1))
        return NULL;
    atomic_init(&k->threshold, params->min_support);
    k->most = (struct amount){params->max_itemsets, params->max_bytes};
    k->length_span = params->length_span;
    k->progress = params->progress;
    k->worker_count = workers;
    pthread_mutex_init(&k->lock, NULL);
    MEM_ZNEW(k->seen, (size_t)params->basket_count + 1);
    MEM_ZNEW(k->shelves, workers);
    bool good = k->seen && k->shelves;
    for (uint32_t w = 0; good && w < workers; w++)
        good = (k->shelves[w] = shelf_new(k->length_span)) != NULL;
    if (good)
        return k;
    keeper_free(k);
    return NULL;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    for (uint32_t w = 0; k->shelves && w < k->worker_count; w++)
        shelf_free(k->shelves[w], k->length_span);
    pthread_mutex_destroy(&k->lock);
    free(k->shelves);
    free(k->seen);
    free(k);
}

const atomic_uint *keeper_threshold(const struct keeper *k)
{
    return &k->threshold;
}

/* Drops the records below `least`; returns how many stay. */
static uint64_t drop_below(struct records *r, uint32_t length, uint32_t least)
{
    size_t stride = (size_t)length + 1, kept = 0;
    for (size_t at = 0; at < r->words.count; at += stride) {
        if (r->words.at[at] < least)
            continue;
        memmove(r->words.at + kept, r->words.at + at, stride * sizeof *r->words.at);
        kept += stride;
    }
    r->words.count = kept;
    return kept / stride;
}

static void compact(struct keeper *k, struct shelf *shelf)
{
    uint32_t least = atomic_load(&k->threshold);
    shelf->count = 0;
    for (uint32_t length = 1; length < k->length_span; length++)
        shelf->count += drop_below(&shelf->of[length], length, least);
    shelf->compact_at = 2 * shelf->count;
    if (shelf->compact_at < COMPACT_FROM)
        shelf->compact_at = COMPACT_FROM;
}

static void amount_add(struct amount *a, uint64_t sets, uint64_t bytes)
{
    a->sets += sets;
    a->bytes += bytes;
}

static int report(struct keeper *k, struct shelf *shelf)
{
    pthread_mutex_lock(&k->lock);
    uint32_t least = atomic_load(&k->threshold);
    for (uint32_t b = 0; b < shelf->batch_count; b++) {
        const struct kept *set = &shelf->batch[b];
        if (set->support < least)
            continue;
        amount_add(&k->seen[set->support], 1, SET_BYTES(set->length));
        amount_add(&k->total, 1, SET_BYTES(set->length));
    }
    while (k->total.sets > k->most.sets || k->total.bytes > k->most.bytes) {
        k->total.sets -= k->seen[least].sets;
        k->total.bytes -= k->seen[least++].bytes;
    }
    atomic_store(&k->threshold, least);
    pthread_mutex_unlock(&k->lock);
    shelf->batch_count = 0;
    if (shelf->count >= shelf->compact_at)
        compact(k, shelf);
    return progress_cancelled(k->progress) ? ERR_CANCELLED : 0;
}

static int keep(struct keeper *k, struct shelf *shelf, uint32_t length, uint32_t support)
{
    struct records *r = &shelf->of[length];
    if (!VEC_RESERVE(&r->words, r->words.count + length + 1))
        return ERR_NOMEM;
    uint32_t *record = r->words.at + r->words.count;
    *record++ = support;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t item = shelf->set[i], j = i;
        for (; j > 0 && record[j - 1] > item; j--)
            record[j] = record[j - 1];
        record[j] = item;
    }
    r->words.count += length + 1;
    shelf->count++;
    shelf->batch[shelf->batch_count++] = (struct kept){support, length};
    return shelf->batch_count == BATCH ? report(k, shelf) : 0;
}

/* shelf->set[0..length) with every choice of extras from `from` on. */
static int keep_all(struct keeper *k, struct shelf *shelf, const struct itemset_group *g,
                    uint32_t length, uint32_t from)
{
    uint32_t chosen = length - g->length;
    int status = chosen >= g->min_choice ? keep(k, shelf, length, g->support) : 0;
    if (chosen == g->max_choice)
        return status;
    for (uint32_t e = from; e < g->extra_count && status == 0; e++) {
        if (g->support < atomic_load_explicit(&k->threshold, memory_order_relaxed))
            return 0;
        shelf->set[length] = g->extra[e];
        status = keep_all(k, shelf, g, length + 1, e + 1);
    }
    return status;
}

static int keeper_found(void *keeper, void *lane, const struct itemset_group *group)
{
    struct keeper *k = keeper;
    struct shelf *shelf = k->shelves[group->worker];
    (void)lane;
    assert(group->length < k->length_span);
    if (group->length)
        memcpy(shelf->set, group->items, group->length * sizeof *shelf->set);
    return keep_all(k, shelf, group, group->length, 0);
}

/* The result is put in order at the end: all lanes are the same. */
static void *lane_open(void *keeper, void *after)
{
    (void)after;
    return keeper;
}

static int lane_close(void *keeper, void *lane)
{
    (void)keeper, (void)lane;
    return 0;
}

struct itemset_visitor keeper_visitor(struct keeper *k)
{
    return (struct itemset_visitor){k, lane_open, keeper_found, lane_close};
}

/* Putting together: one length at a time, lengths in parallel. */
struct assembly {
    struct keeper *keeper;
    struct itemsets *out;
    uint32_t item_count;
    uint64_t *first; /* [length_span + 1] index of the first set of a length */
    uint64_t *entry; /* and of its first item */
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* The sets of one length: records side by side and the order to read them in. */
struct pile {
    uint32_t *words;
    uint32_t *order, *spare; /* [count] */
    uint32_t *next;          /* [items] */
    uint32_t count, stride;
};

static void pile_free(struct pile *p)
{
    free(p->words);
    free(p->order);
    free(p->spare);
    free(p->next);
}

/* Moves the shelves' records of a length over, which empties them. */
static bool pile_fill(struct pile *p, struct keeper *k, uint32_t length, uint32_t items)
{
    MEM_NEW(p->words, (size_t)p->count * p->stride);
    MEM_NEW(p->order, p->count);
    MEM_NEW(p->spare, p->count);
    MEM_NEW(p->next, items);
    if (!p->words || !p->order || !p->spare || !p->next)
        return false;
    size_t at = 0;
    for (uint32_t w = 0; w < k->worker_count; w++) {
        struct records *r = &k->shelves[w]->of[length];
        if (r->words.count)
            memcpy(p->words + at, r->words.at, r->words.count * sizeof *p->words);
        at += r->words.count;
        VEC_FREE(&r->words);
    }
    assert(at == (size_t)p->count * p->stride);
    for (uint32_t i = 0; i < p->count; i++)
        p->order[i] = i;
    return true;
}

/* A stable counting pass over one item of each record; false: cancelled. */
static bool pile_pass(struct pile *p, uint32_t position, uint32_t items, struct progress *progress)
{
    memset(p->next, 0, items * sizeof *p->next);
    const uint32_t *word = p->words + 1 + position;
    for (uint32_t i = 0; i < p->count; i++)
        p->next[word[(size_t)i * p->stride]]++;
    uint32_t before = 0;
    for (uint32_t item = 0; item < items; item++) {
        uint32_t count = p->next[item];
        p->next[item] = before;
        before += count;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t record = p->order[i];
        p->spare[p->next[word[(size_t)record * p->stride]]++] = record;
        if (i % SORT_CHUNK == 0 && progress_cancelled(progress))
            return false;
    }
    uint32_t *swap = p->order;
    p->order = p->spare;
    p->spare = swap;
    return true;
}

static int put_length(struct assembly *a, uint32_t length)
{
    struct itemsets *out = a->out;
    uint64_t first = a->first[length], entry = a->entry[length];
    struct pile p = {.count = (uint32_t)(a->first[length + 1] - first), .stride = length + 1};
    int status = 0;
    if (p.count == 0)
        return 0;
    if (!pile_fill(&p, a->keeper, length, a->item_count))
        status = ERR_NOMEM;
    for (uint32_t at = length; at > 0 && status == 0; at--)
        if (!pile_pass(&p, at - 1, a->item_count, a->keeper->progress))
            status = ERR_CANCELLED;
    for (uint32_t i = 0; i < p.count && status == 0; i++) {
        const uint32_t *record = p.words + (size_t)p.order[i] * p.stride;
        out->support[first + i] = record[0];
        out->start[first + i] = entry + (uint64_t)i * length;
        memcpy(out->item + entry + (uint64_t)i * length, record + 1, length * sizeof *record);
    }
    pile_free(&p);
    return status;
}

static void put_lengths(void *context, uint32_t worker)
{
    struct assembly *a = context;
    uint64_t begin, end;
    while (a->status[worker] == 0 && cursor_take(&a->cursor, &begin, &end))
        a->status[worker] = put_length(a, (uint32_t)begin + 1);
}

static bool lay_out(struct assembly *a)
{
    struct keeper *k = a->keeper;
    struct itemsets *out = a->out;
    MEM_ZNEW(a->first, (size_t)k->length_span + 1);
    MEM_ZNEW(a->entry, (size_t)k->length_span + 1);
    if (!a->first || !a->entry)
        return false;
    for (uint32_t length = 1; length < k->length_span; length++) {
        uint64_t words = 0;
        for (uint32_t w = 0; w < k->worker_count; w++)
            words += k->shelves[w]->of[length].words.count;
        uint64_t sets = words / (length + 1);
        a->first[length + 1] = a->first[length] + sets;
        a->entry[length + 1] = a->entry[length] + sets * length;
    }
    uint64_t entries = a->entry[k->length_span];
    out->count = a->first[k->length_span];
    MEM_NEW(out->start, out->count + 1);
    MEM_NEW(out->item, entries);
    MEM_NEW(out->support, out->count);
    if (!out->start || !out->item || !out->support)
        return false;
    out->start[out->count] = entries;
    return true;
}

int keeper_collect(struct keeper *k, uint32_t item_count, struct itemsets *out)
{
    struct assembly a = {.keeper = k, .out = out, .item_count = item_count};
    int status = 0;
    for (uint32_t w = 0; w < k->worker_count; w++)
        status = status ? status : report(k, k->shelves[w]);
    for (uint32_t w = 0; w < k->worker_count; w++)
        compact(k, k->shelves[w]);
    if (status == 0 && !lay_out(&a))
        status = ERR_NOMEM;
    if (status == 0) {
        progress_begin(k->progress, "ordering itemsets", 0);
        cursor_init(&a.cursor, k->length_span - 1, 1);
        parallel_run(k->worker_count, put_lengths, &a);
    }
    for (uint32_t w = 0; w < k->worker_count; w++)
        status = status ? status : a.status[w];
    free(a.first);
    free(a.entry);
    out->min_support = atomic_load(&k->threshold);
    return status;
}
