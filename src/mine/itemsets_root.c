/* What the constraints leave: baskets that hold the items every set must hold, without those items
 * and the ones no set may hold. Their items are counted and ranked, the rows made of ranks
 * (itemsets_rows.c), and the ranks ordered by what searching them will cost. */
#include "itemsets_root.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { ROLE_FREE, ROLE_WITH, ROLE_WITHOUT };

bool related(const uint32_t *parent, uint32_t a, uint32_t b)
{
    for (uint32_t up = parent[a]; up != ITEM_NONE; up = parent[up])
        if (up == b)
            return true;
    for (uint32_t up = parent[b]; up != ITEM_NONE; up = parent[up])
        if (up == a)
            return true;
    return false;
}

static int set_roles(struct root_builder *b, struct error *err)
{
    const struct itemset_params *p = b->params;
    for (uint32_t k = 0; k < p->with_count + p->without_count; k++) {
        bool with = k < p->with_count;
        uint32_t item = with ? p->with[k] : p->without[k - p->with_count];
        unsigned char role = with ? ROLE_WITH : ROLE_WITHOUT;
        if (item >= b->baskets->cols)
            return error_set(err, ERR_INVALID, "itemsets: no item %u", item);
        if (b->role[item] != ROLE_FREE)
            return error_set(err, ERR_INVALID,
                             "itemsets: item %u is named twice in with and without", item);
        b->role[item] = role;
    }
    return 0;
}

/* Marks the baskets that do not take part and counts the items of the others. */
static void count_items(struct root_builder *b)
{
    const struct csr *m = b->baskets;
    uint64_t entries = csr_entries(m);
    b->root->basket_count = m->rows;
    for (uint64_t e = 0; !b->apart && e < entries; e++)
        b->count[m->column[e]]++;
    for (uint32_t r = 0; b->apart && r < m->rows; r++) {
        uint32_t held = 0;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
            held += b->role[m->column[e]] == ROLE_WITH;
        b->apart[r] = held != b->params->with_count;
        b->root->basket_count -= b->apart[r];
        for (uint64_t e = m->start[r]; !b->apart[r] && e < m->start[r + 1]; e++)
            b->count[m->column[e]]++;
    }
}

/* A group of an item that every set holds goes with none of them, and the other way round. */
static bool may_be_ranked(const struct root_builder *b, uint32_t item)
{
    const struct itemset_params *p = b->params;
    if (b->role[item] != ROLE_FREE)
        return false;
    if (p->target == TARGET_ALL && p->parent)
        for (uint32_t k = 0; k < p->with_count; k++)
            if (related(p->parent, item, p->with[k]))
                return false;
    return true;
}

struct ranked {
    uint64_t key; /* what to sort by, ascending */
    uint32_t item;
};

/* Ties: the larger number first, so that counted from the most frequent item the smaller number is
 * before the larger. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->item < y->item) - (x->item > y->item);
}

/* Fills item, support and everywhere from the counts, and rank_of. */
static bool rank_items(struct root_builder *b)
{
    const struct itemset_params *p = b->params;
    struct root *r = b->root;
    struct ranked *order;
    if (!MEM_NEW(order, b->baskets->cols) || !MEM_NEW(r->everywhere, b->baskets->cols)) {
        free(order);
        return false;
    }
    uint32_t least = p->min_support ? p->min_support : 1;
    bool set_aside = p->shards == 0 && !p->ranked && !p->parent;
    for (uint32_t i = 0; i < b->baskets->cols; i++) {
        uint32_t count = b->count[i];
        if (count < least || !may_be_ranked(b, i))
            continue;
        if (count == r->basket_count && set_aside)
            r->everywhere[r->everywhere_count++] = i;
        else
            order[r->item_count++] = (struct ranked){p->ranked ? 0 : count, i};
    }
    qsort(order, r->item_count, sizeof *order, compare_ranked);
    MEM_NEW(r->item, r->item_count);
    MEM_NEW(r->support, r->item_count);
    for (uint32_t k = 0; r->item && r->support && k < r->item_count; k++) {
        uint32_t item = order[k].item;
        r->item[k] = item;
        r->support[k] = b->count[item];
        b->rank_of[item] = k + 1;
    }
    free(order);
    return r->item && r->support;
}

/* The ranks of the shard, the most costly first. */
static bool order_heads(struct root_builder *b)
{
    const struct itemset_params *p = b->params;
    struct root *r = b->root;
    struct ranked *order;
    MEM_NEW(order, r->item_count);
    MEM_NEW(r->heads, r->item_count);
    if (!order || !r->heads) {
        free(order);
        return false;
    }
    for (uint32_t k = 0; k < r->item_count; k++) {
        uint32_t rank = p->ranked ? r->item[k] : r->item_count - 1 - k;
        if (p->shards == 0 || rank % p->shards == p->shard) {
            order[r->head_count++] = (struct ranked){UINT64_MAX - r->cost[k], k};
            r->total_cost += r->cost[k] + 1;
        }
    }
    qsort(order, r->head_count, sizeof *order, compare_ranked);
    for (uint32_t k = 0; k < r->head_count; k++)
        r->heads[k] = order[k].item;
    free(order);
    return true;
}

static int build(struct root_builder *b, struct error *err)
{
    int status = ERR_NOMEM;
    MEM_ZNEW(b->count, b->baskets->cols);
    MEM_ZNEW(b->rank_of, b->baskets->cols);
    MEM_ZNEW(b->role, b->baskets->cols);
    if (b->params->with_count)
        MEM_NEW(b->apart, b->baskets->rows);
    if (b->count && b->rank_of && b->role && (b->apart || b->params->with_count == 0)) {
        status = set_roles(b, err);
        if (status == 0) {
            count_items(b);
            status = rank_items(b) ? rows_build(b) : ERR_NOMEM;
        }
        if (status == 0)
            status = order_heads(b) ? 0 : ERR_NOMEM;
    }
    free(b->count);
    free(b->rank_of);
    free(b->role);
    free(b->apart);
    return status;
}

int root_build(const struct csr *baskets, const struct itemset_params *params, struct root *out,
               struct error *err)
{
    struct root_builder b = {.root = out, .baskets = baskets, .params = params};
    *out = (struct root){.prefix = params->with, .prefix_count = params->with_count};
    if (csr_entries(baskets) + baskets->rows >= UINT32_MAX - 1)
        return error_set(err, ERR_TOO_LARGE, "itemsets: more than %u order lines", UINT32_MAX - 2);
    progress_begin(params->progress, "sorting items", 0);
    int status = build(&b, err);
    if (status == 0)
        return 0;
    root_deinit(out);
    return error_set(err, status, "itemsets: %s",
                     status == ERR_NOMEM ? "out of memory for the baskets" : "cancelled");
}

void root_deinit(struct root *r)
{
    free(r->item);
    free(r->support);
    free(r->data);
    free(r->start);
    free(r->place);
    free(r->basket);
    free(r->pairs);
    free(r->extent);
    free(r->heads);
    free(r->cost);
    free(r->everywhere);
    *r = (struct root){0};
}
