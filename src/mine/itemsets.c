/* The public side of the miner: parameters, the run, the finished sets. How the budget bounds the
 * length: a frequent set of L items has 2^L - 1 frequent subsets, so no set of more than
 * log2(budget + 1) items can stay within it. One more item is searched for, so that such sets, if
 * they are there, raise the threshold like any others. */
#include "mine/itemsets.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "itemsets_internal.h"

#include <math.h>
#include <stdlib.h>

#define DEFAULT_MAX_LENGTH   4
#define DEFAULT_MAX_ITEMSETS 4000000u
#define SHARE_SCALE          1000000000u

uint32_t itemsets_min_support(double share, uint32_t basket_count)
{
    if (!(share > 0))
        return 1;
    if (share >= 1)
        return basket_count ? basket_count : 1;
    /* The small addition takes back what binary fractions lose: .07 is 69999999.999… billionths. */
    uint64_t scaled = (uint64_t)(share * SHARE_SCALE + 1e-3);
    uint64_t least = (scaled * basket_count + SHARE_SCALE - 1) / SHARE_SCALE;
    return least ? (uint32_t)least : 1;
}

static uint64_t budget_of(const struct itemset_params *p)
{
    uint64_t budget = p->max_itemsets ? p->max_itemsets : DEFAULT_MAX_ITEMSETS;
    return budget < UINT32_MAX - 1 ? budget : UINT32_MAX - 1;
}

static uint32_t length_of(const struct itemset_params *p, uint64_t budget)
{
    uint32_t length = p->max_length ? p->max_length : DEFAULT_MAX_LENGTH, within = 1;
    if (p->target != TARGET_ALL)
        return length;
    while (within < SET_LENGTH_MAX && (1ULL << within) - 1 <= budget)
        within++;
    return length < within ? length : within;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t support_of(const struct itemset_params *p)
{
    return p->min_support ? p->min_support : 1;
}

/* `length`: the longest set to find. */
static struct grow_job job_of(struct root *root, const struct csr *baskets,
                              const struct itemset_params *p, uint32_t length)
{
    if (p->target == TARGET_ALL && root->prefix_count >= length)
        root->head_count = 0; /* nothing goes with the prefix */
    return (struct grow_job){.root = root,
                             .target = p->target,
                             .parent = p->parent,
                             .item_span = baskets->cols,
                             .shard = p->shards ? p->shard : 0,
                             .min_length = p->min_length ? p->min_length : 1,
                             .max_length = length,
                             .workers = parallel_workers(p->threads),
                             .progress = p->progress};
}

static int mine(struct root *root, const struct csr *baskets, const struct itemset_params *p,
                struct itemsets *out, struct error *err)
{
    uint64_t budget = budget_of(p);
    struct grow_job job = job_of(root, baskets, p, length_of(p, budget));
    uint32_t longest = root->prefix_count + root->everywhere_count + root->item_count;
    struct keeper *keeper =
        keeper_new(&(struct keeper_params){.min_support = support_of(p),
                                           .basket_count = baskets->rows,
                                           .length_span = smaller(job.max_length, longest) + 1,
                                           .workers = job.workers,
                                           .max_itemsets = budget,
                                           .max_bytes = p->max_bytes ? p->max_bytes : UINT64_MAX,
                                           .progress = p->progress});
    if (!keeper)
        return error_set(err, ERR_NOMEM, "itemsets: out of memory");
    struct itemset_visitor visitor = keeper_visitor(keeper);
    job.threshold = keeper_threshold(keeper);
    job.visitor = &visitor;
    int rc = grow_sets(&job, err);
    if (rc == 0) {
        rc = keeper_collect(keeper, baskets->cols, out);
        if (rc)
            error_set(err, rc, "itemsets: %s", rc == ERR_NOMEM ? "out of memory" : "cancelled");
    }
    keeper_free(keeper);
    return rc;
}

int itemsets_mine(const struct csr *baskets, const struct itemset_params *params,
                  struct itemsets *out, struct error *err)
{
    struct root root;
    struct itemsets made = {.basket_count = baskets->rows};
    int rc = root_build(baskets, params, &root, err);
    if (rc)
        return rc;
    rc = mine(&root, baskets, params, &made, err);
    root_deinit(&root);
    if (rc) {
        itemsets_deinit(&made);
        return rc;
    }
    made.raised = made.min_support > support_of(params);
    *out = made;
    return 0;
}

void itemsets_deinit(struct itemsets *s)
{
    free(s->start);
    free(s->item);
    free(s->support);
    *s = (struct itemsets){0};
}

size_t itemsets_bytes(const struct itemsets *s)
{
    if (!s->start)
        return 0;
    return (s->count + 1) * sizeof *s->start + s->start[s->count] * sizeof *s->item +
           s->count * sizeof *s->support;
}

int search_sets(const struct csr *baskets, const struct itemset_params *params,
                const struct itemset_visitor *visitor, const atomic_uint *threshold,
                uint64_t *count, struct error *err)
{
    struct root root;
    int rc = root_build(baskets, params, &root, err);
    if (rc)
        return rc;
    struct grow_job job = job_of(&root, baskets, params, length_of(params, UINT64_MAX));
    job.threshold = threshold;
    job.visitor = visitor;
    rc = grow_sets(&job, err);
    root_deinit(&root);
    *count = job.count;
    return rc;
}

int itemsets_count(const struct csr *baskets, const struct itemset_params *params, uint64_t *count,
                   struct error *err)
{
    atomic_uint threshold = support_of(params);
    return search_sets(baskets, params, NULL, &threshold, count, err);
}

int itemsets_visit(const struct csr *baskets, const struct itemset_params *params,
                   const struct itemset_visitor *visitor, struct error *err)
{
    atomic_uint threshold = support_of(params);
    uint64_t count;
    return search_sets(baskets, params, visitor, &threshold, &count, err);
}

/* How many sets there may be: each needs min_support baskets that hold it, and no more than a
 * quarter of all places where a set lies are in frequent ones (a twentieth in power laws). Larger
 * sets are counted for baskets of the size an average line lies in. */
static double most_sets(const struct dataset_shape *shape, const struct itemset_params *params,
                        uint32_t max_length)
{
    double lines = (double)shape->lines, least = support_of(params);
    double size = lines > 0 ? 1 + (double)dataset_shape_pairs(shape) / lines : 0;
    double sets = 0, of_length = lines / (size > 1 ? size : 1);
    for (uint32_t k = 1; k <= max_length && of_length >= 1; k++) {
        of_length *= (size - k + 1) / k;
        double most = of_length > 0 ? of_length / least / (k == 1 ? 1 : 4) : 0;
        sets += k == 1 && most > (double)shape->items ? (double)shape->items : most;
    }
    return sets;
}

uint64_t itemsets_estimate_bytes(const struct dataset_shape *shape,
                                 const struct itemset_params *params)
{
    uint64_t budget = budget_of(params);
    uint32_t length = length_of(params, budget), workers = parallel_workers(params->threads);
    double sets = most_sets(shape, params, length);
    sets = sets < (double)budget ? sets : (double)budget;
    /* Rows and places, spans and counts; supports seen, a worker's counters and its share of
     * conditional rows. */
    uint64_t root = 8 * shape->lines + 16 * shape->orders + 60 * shape->items;
    uint64_t search = 8 * shape->orders + workers * (40 * shape->items + shape->lines / 2);
    /* A record and its growth; the ordered set, and the order while it is made. */
    double set = (5 + length) * 4.0 * 1.5 + (3 + length) * 4.0;
    return root + search + (uint64_t)(sets * set);
}
