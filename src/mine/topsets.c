/* A heap of the best sets so far, the worst of them on top, that all workers share; what cannot
 * beat the worst is turned away before the lock, by its support alone where that bounds the
 * measure. The order of sets is total, so the result does not depend on who found what when. A
 * group is expanded depth first, its extras in turn; for support, longer choices than the worst's
 * cannot do better. */
#include "mine/topsets.h"

#include "base/mem.h"
#include "base/vec.h"
#include "itemsets_internal.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Choices between two looks at the cancel flag. */
#define CHOICES_PER_LOOK 65536

struct entry {
    double value;
    uint32_t support, length;
    uint32_t *items; /* ascending */
};

struct top {
    enum set_measure by;
    const uint32_t *count; /* [cols] baskets of an item */
    uint32_t baskets, k;
    struct progress *progress;
    atomic_uint threshold;
    pthread_mutex_t lock;
    VEC(struct entry) heap;
};

/* A set while its group is expanded. */
struct trial {
    struct top *top;
    const struct itemset_group *group;
    uint32_t *items;
    uint32_t looks;
    int status;
};

const char *set_measure_name(enum set_measure measure)
{
    static const char *const names[] = {"support", "leverage", "lift", "all_confidence"};
    assert(measure < SET_MEASURE_COUNT);
    return names[measure];
}

int set_measure_parse(struct str name)
{
    for (int m = 0; m < SET_MEASURE_COUNT; m++)
        if (str_eq(name, str_of(set_measure_name((enum set_measure)m))))
            return m;
    return -1;
}

bool set_measure_proves(enum set_measure measure)
{
    return measure == SET_SUPPORT || measure == SET_LEVERAGE;
}

static double value_of(const struct top *t, const uint32_t *items, uint32_t length,
                       uint32_t support)
{
    double n = t->baskets, expected = 1;
    uint32_t most = 0;
    if (t->by == SET_SUPPORT)
        return support / n;
    for (uint32_t i = 0; i < length; i++) {
        expected *= t->count[items[i]] / n;
        most = t->count[items[i]] > most ? t->count[items[i]] : most;
    }
    switch (t->by) {
    case SET_LEVERAGE:
        return support / n - expected;
    case SET_LIFT:
        return support / n / expected;
    default:
        return (double)support / most;
    }
}

/* < 0: a is the better one. */
static int compare(const void *first, const void *second)
{
    const struct entry *a = first, *b = second;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    if (a->support != b->support)
        return a->support > b->support ? -1 : 1;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    for (uint32_t i = 0; i < a->length; i++)
        if (a->items[i] != b->items[i])
            return a->items[i] < b->items[i] ? -1 : 1;
    return 0;
}

static void swap(struct entry *a, struct entry *b)
{
    struct entry keep = *a;
    *a = *b;
    *b = keep;
}

static void sift_up(struct entry *heap, uint32_t at)
{
    for (; at > 0 && compare(&heap[at], &heap[(at - 1) / 2]) > 0; at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

static void sift_down(struct entry *heap, uint32_t count)
{
    for (uint32_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && compare(&heap[child + 1], &heap[child]) > 0;
        if (compare(&heap[child], &heap[at]) <= 0)
            return;
        swap(&heap[at], &heap[child]);
    }
}

/* The least support that a set needs to come in, now that the heap is full. Leverage is at most the
 * support; a little is left for rounding. */
static void raise_threshold(struct top *t)
{
    const struct entry *worst = &t->heap.at[0];
    double least = t->by == SET_SUPPORT ? worst->support : worst->value * t->baskets * (1 - 1e-9);
    if (!set_measure_proves(t->by) || least <= atomic_load(&t->threshold))
        return;
    atomic_store(&t->threshold, (unsigned)ceil(least));
}

/* Under the lock; takes the items. False: out of memory. */
static bool offer(struct top *t, const struct entry *e)
{
    if (t->heap.count < t->k) {
        if (!VEC_PUSH(&t->heap, *e)) {
            free(e->items);
            return false;
        }
        sift_up(t->heap.at, (uint32_t)t->heap.count - 1);
    } else if (compare(e, &t->heap.at[0]) < 0) {
        free(t->heap.at[0].items);
        t->heap.at[0] = *e;
        sift_down(t->heap.at, t->k);
    } else {
        free(e->items);
    }
    if (t->heap.count == t->k)
        raise_threshold(t);
    return true;
}

static void try_set(struct trial *trial, uint32_t length)
{
    struct top *t = trial->top;
    struct entry e = {.support = trial->group->support, .length = length};
    e.value = value_of(t, trial->items, length, e.support);
    if (!MEM_NEW(e.items, length)) {
        trial->status = ERR_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        uint32_t item = trial->items[i], j = i;
        for (; j > 0 && e.items[j - 1] > item; j--)
            e.items[j] = e.items[j - 1];
        e.items[j] = item;
    }
    pthread_mutex_lock(&t->lock);
    if (!offer(t, &e))
        trial->status = ERR_NOMEM;
    pthread_mutex_unlock(&t->lock);
}

/* False: neither the set nor one with more of the extras can come in. */
static bool worth_trying(struct trial *trial, uint32_t length)
{
    struct top *t = trial->top;
    if (++trial->looks % CHOICES_PER_LOOK == 0 && progress_cancelled(t->progress))
        trial->status = ERR_CANCELLED;
    uint32_t support = trial->group->support;
    if (trial->status || support < atomic_load_explicit(&t->threshold, memory_order_relaxed))
        return false;
    if (t->by != SET_SUPPORT)
        return true;
    pthread_mutex_lock(&t->lock);
    const struct entry *worst = t->heap.count == t->k ? &t->heap.at[0] : NULL;
    bool beaten = worst && support == worst->support && length > worst->length;
    pthread_mutex_unlock(&t->lock);
    return !beaten;
}

/* trial->items up to `length` with every choice of extras from `from` on. */
static void try_all(struct trial *trial, uint32_t length, uint32_t from)
{
    const struct itemset_group *g = trial->group;
    uint32_t chosen = length - g->length;
    if (!worth_trying(trial, length))
        return;
    if (length > 0 && chosen >= g->min_choice)
        try_set(trial, length);
    if (chosen == g->max_choice)
        return;
    for (uint32_t e = from; e < g->extra_count && trial->status == 0; e++) {
        trial->items[length] = g->extra[e];
        try_all(trial, length + 1, e + 1);
    }
}

static int found(void *context, void *lane, const struct itemset_group *group)
{
    struct trial trial = {.top = context, .group = group};
    (void)lane;
    if (!MEM_NEW(trial.items, group->length + group->extra_count))
        return ERR_NOMEM;
    if (group->length)
        memcpy(trial.items, group->items, group->length * sizeof *trial.items);
    try_all(&trial, group->length, 0);
    free(trial.items);
    return trial.status;
}

/* The result is put in order at the end: all lanes are the same. */
static void *lane_open(void *context, void *after)
{
    (void)after;
    return context;
}

static int lane_close(void *context, void *lane)
{
    (void)context, (void)lane;
    return 0;
}

static int give_out(struct top *t, struct itemsets *out)
{
    size_t count = t->heap.count;
    uint64_t entries = 0;
    if (count)
        qsort(t->heap.at, count, sizeof *t->heap.at, compare);
    for (size_t k = 0; k < count; k++)
        entries += t->heap.at[k].length;
    MEM_NEW(out->start, count + 1);
    MEM_NEW(out->item, entries);
    MEM_NEW(out->support, count);
    if (!out->start || !out->item || !out->support)
        return ERR_NOMEM;
    out->start[0] = 0;
    for (size_t k = 0; k < count; k++) {
        const struct entry *e = &t->heap.at[k];
        memcpy(out->item + out->start[k], e->items, e->length * sizeof *e->items);
        out->start[k + 1] = out->start[k] + e->length;
        out->support[k] = e->support;
    }
    out->count = count;
    return 0;
}

static int search(struct top *t, const struct csr *baskets, const struct itemset_params *params,
                  struct itemsets *out, struct error *err)
{
    struct itemset_visitor visitor = {t, lane_open, found, lane_close};
    uint64_t count;
    int rc = search_sets(baskets, params, &visitor, &t->threshold, &count, err);
    if (rc)
        return rc;
    struct itemsets made = {.basket_count = baskets->rows, .min_support = params->min_support};
    rc = give_out(t, &made);
    if (rc == 0)
        *out = made;
    else
        itemsets_deinit(&made);
    return rc ? error_set(err, rc, "itemsets: out of memory") : 0;
}

int topsets_mine(const struct csr *baskets, const struct itemset_params *params,
                 enum set_measure by, uint32_t k, struct itemsets *out, struct error *err)
{
    struct top top = {.by = by, .baskets = baskets->rows, .k = k, .progress = params->progress};
    uint64_t entries = csr_entries(baskets);
    uint32_t *count;
    assert(k > 0);
    atomic_init(&top.threshold, params->min_support ? params->min_support : 1);
    MEM_ZNEW(count, baskets->cols);
    int rc = count ? 0 : error_set(err, ERR_NOMEM, "itemsets: out of memory");
    for (uint64_t e = 0; rc == 0 && e < entries; e++)
        count[baskets->column[e]]++;
    top.count = count;
    pthread_mutex_init(&top.lock, NULL);
    if (rc == 0)
        rc = search(&top, baskets, params, out, err);
    pthread_mutex_destroy(&top.lock);
    for (size_t e = 0; e < top.heap.count; e++)
        free(top.heap.at[e].items);
    VEC_FREE(&top.heap);
    free(count);
    return rc;
}
