/* A whole search: the workers with their scratch, what becomes of the sets they find, and the sets
 * of nothing but items that every basket holds. */
#include "itemsets_search.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* How many choices of at least `least` and at most `most` of `count` there are. */
static uint64_t choices(uint32_t count, uint32_t least, uint32_t most)
{
    if (least == 0 && most >= count)
        return count < 64 ? 1ULL << count : UINT64_MAX;
    uint64_t all = least == 0, of_size = 1;
    for (uint32_t k = 1; k <= most && k <= count; k++) {
        /* C(count, k) from C(count, k - 1): exact, as the product has the divisor k. */
        if (of_size > UINT64_MAX / (count - k + 1))
            return UINT64_MAX;
        of_size = of_size * (count - k + 1) / k;
        all = k >= least ? add_saturated(all, of_size) : all;
    }
    return all;
}

void count_found(struct worker *w, uint64_t sets)
{
    uint64_t each = choices(w->extra_count, 0, w->extra_count), product;
    if (__builtin_mul_overflow(sets, each, &product))
        product = sets ? UINT64_MAX : 0;
    w->count = add_saturated(w->count, product);
}

/* The set without the groups of its items, at w->reduced; returns its length. */
static uint32_t reduce(struct worker *w, uint32_t length)
{
    const uint32_t *parent = w->job->parent;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < length; i++)
        for (uint32_t up = parent[w->item[i]]; up != ITEM_NONE; up = parent[up])
            w->is_group[up] = true;
    for (uint32_t i = 0; i < length; i++)
        if (!w->is_group[w->item[i]])
            w->reduced[kept++] = w->item[i];
    for (uint32_t i = 0; i < length; i++)
        for (uint32_t up = parent[w->item[i]]; up != ITEM_NONE; up = parent[up])
            w->is_group[up] = false;
    return kept;
}

void found(struct worker *w, uint32_t length, uint32_t support)
{
    const struct grow_job *job = w->job;
    struct itemset_group group = {.items = w->item,
                                  .extra = w->extra,
                                  .length = length,
                                  .extra_count = w->extra_count,
                                  .support = support,
                                  .same = w->same,
                                  .worker = w->index};
    if (w->status)
        return;
    if (!w->all && job->parent) {
        group.length = reduce(w, length);
        group.items = w->reduced;
        group.same = 0;
    }
    if (group.length > job->max_length)
        return;
    group.max_choice = job->max_length - group.length;
    group.min_choice = job->min_length > group.length ? job->min_length - group.length : 0;
    if (group.min_choice > group.extra_count)
        return;
    if (!job->visitor) {
        uint64_t sets = choices(group.extra_count, group.min_choice, group.max_choice);
        w->count = add_saturated(w->count, sets);
        return;
    }
    w->same = length;
    w->status = job->visitor->found(job->visitor->context, w->lane, &group);
}

/* Room for the nodes of a branch, in words: as much as the rows take some times over, in one block
 * that stays, so that memory is not given back and asked for all the time. What is not touched
 * costs nothing. */
#define RESERVE 65536

static bool worker_init(struct worker *w, struct tasks *tasks, uint32_t index)
{
    struct grow_job *job = tasks->job;
    const struct root *root = job->root;
    *w = (struct worker){.job = job, .tasks = tasks, .index = index};
    w->all = job->target == TARGET_ALL;
    w->keeps_past = !w->all && !root->extent;
    w->innermost = &w->outermost;
    arena_init(&w->arena);
    if (!scratch(w, 4 * (size_t)root->data_count + RESERVE, sizeof *root->data))
        return false;
    arena_clear(&w->arena);
    uint32_t all = root->item_count + root->everywhere_count + root->prefix_count;
    w->item = scratch(w, all, sizeof *w->item);
    w->extra = scratch(w, all, sizeof *w->extra);
    w->sum = scratch(w, root->item_count, sizeof *w->sum);
    w->number = scratch(w, root->item_count, sizeof *w->number);
    w->frequent = scratch(w, (size_t)root->item_count + 1, sizeof *w->frequent);
    w->bit = scratch(w, root->item_count, sizeof *w->bit);
    w->past = scratch(w, root->item_count, sizeof *w->past);
    w->survivors = scratch(w, root->item_count, sizeof *w->survivors);
    if (root->extent)
        w->common = scratch(w, (size_t)root->item_count + 1, sizeof *w->common);
    if (!w->all && job->parent) {
        w->reduced = scratch(w, all, sizeof *w->reduced);
        w->is_group = scratch(w, job->item_span, sizeof *w->is_group);
        if (w->is_group)
            memset(w->is_group, 0, job->item_span * sizeof *w->is_group);
    }
    if (w->status)
        return false;
    memset(w->sum, 0, root->item_count * sizeof *w->sum);
    memset(w->number, 0, root->item_count * sizeof *w->number);
    memset(w->bit, 0, root->item_count * sizeof *w->bit);
    if (root->prefix_count)
        memcpy(w->item, root->prefix, root->prefix_count * sizeof *w->item);
    return true;
}

void worker_begin(struct worker *w)
{
    const struct root *root = w->job->root;
    w->length = root->prefix_count;
    w->extra_count = 0;
    for (uint32_t k = 0; k < root->everywhere_count; k++) {
        if (w->all)
            w->extra[w->extra_count++] = root->everywhere[k];
        else
            push(w, w->length++, root->everywhere[k]);
    }
}

struct run {
    struct tasks tasks;
    struct worker workers[PARALLEL_WORKERS_MAX];
};

static void run_worker(void *context, uint32_t index)
{
    struct run *run = context;
    struct worker *w = &run->workers[index];
    worker_init(w, &run->tasks, index);
    tasks_work(&run->tasks, w);
    arena_deinit(&w->arena);
}

/* What the prefix and the items of all baskets make. */
static void find_everywhere(struct worker *w)
{
    const struct root *root = w->job->root;
    worker_begin(w);
    if (root->basket_count < atomic_load(w->job->threshold))
        return;
    if (w->job->target == TARGET_MAXIMAL && root->item_count)
        return;
    if (w->length + w->extra_count)
        found(w, w->length, root->basket_count);
}

static int search_everywhere(struct run *run)
{
    struct worker *w = &run->workers[0];
    const struct itemset_visitor *v = run->tasks.job->visitor;
    if (run->tasks.job->shard)
        return 0;
    if (worker_init(w, &run->tasks, 0)) {
        w->lane = v ? v->lane_open(v->context, NULL) : NULL;
        if (v && !w->lane)
            w->status = ERR_NOMEM;
        else
            find_everywhere(w);
        int closed = v && w->lane ? v->lane_close(v->context, w->lane) : 0;
        w->status = w->status ? w->status : closed;
    }
    arena_deinit(&w->arena);
    run->tasks.job->count = w->count;
    return w->status;
}

int grow_sets(struct grow_job *job, struct error *err)
{
    assert(job->max_length >= 1 && job->workers >= 1 && job->workers <= PARALLEL_WORKERS_MAX);
    assert(job->target != TARGET_ALL || job->max_length <= SET_LENGTH_MAX);
    struct run *run = mem_zarray(1, sizeof *run);
    if (!run)
        return error_set(err, ERR_NOMEM, "itemsets: out of memory");
    tasks_init(&run->tasks, job);
    progress_begin(job->progress, "mining itemsets", job->root->total_cost);
    int status = search_everywhere(run);
    if (status == 0) {
        parallel_run(job->workers, run_worker, run);
        status = run->tasks.status;
        for (uint32_t k = 0; k < job->workers; k++)
            job->count = add_saturated(job->count, run->workers[k].count);
    }
    tasks_deinit(&run->tasks);
    free(run);
    switch (status) {
    case 0:
        return 0;
    case ERR_NOMEM:
        return error_set(err, status, "itemsets: out of memory");
    case ERR_CANCELLED:
        return error_set(err, status, "itemsets: cancelled");
    case ERR_TOO_LARGE:
        return error_set(err, status, "itemsets: baskets nested too deeply");
    default:
        return error_set(err, status, "itemsets: what was found could not be given out");
    }
}
