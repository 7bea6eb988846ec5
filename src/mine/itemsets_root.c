/* What the constraints leave: baskets that hold the items every set must hold, without those items
 * and the ones no set may hold.
 *
 * Ranks, rows and places are made by two counting passes over the baskets: the first counts items,
 * the second deals each kept row to the lists of its items. Walking those lists by ascending rank
 * and appending the rank to each row yields sorted rows without comparing anything, and turns the
 * list entry from "this row" into "this place" where it stands. Cost: O(entries + items log items);
 * memory 8 bytes an entry. */
#include "itemsets_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct span {
    uint32_t fill, end; /* of a row in data; end 0: left out */
};

/* Baskets are sparse that hold less than one in so many items. */
#define SPARSE 10
/* Dense baskets of more items are counted by sweeps. */
#define PAIRS_MAX 512
/* Rows between two looks at the cancel flag: some milliseconds. */
#define ROWS_PER_LOOK 65536

struct builder {
    struct root *root;
    const struct csr *baskets;
    const struct itemset_params *params;
    uint32_t *count;     /* [cols] */
    uint32_t *rank_of;   /* [cols] rank + 1, 0: not ranked */
    unsigned char *role; /* [cols] */
    uint64_t *bitmaps;   /* [item_count][words] of the rows of dense baskets, else NULL */
    size_t words;
    struct span *span; /* [rows] */
};

enum { ROLE_FREE, ROLE_WITH, ROLE_WITHOUT };

static bool cancelled_at(const struct builder *b, uint32_t row)
{
    return row % ROWS_PER_LOOK == 0 && progress_cancelled(b->params->progress);
}

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

static int set_roles(struct builder *b, struct error *err)
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

/* Marks the baskets that take part (span.end) and counts their items. */
static void count_items(struct builder *b)
{
    const struct csr *m = b->baskets;
    uint32_t with = b->params->with_count;
    b->root->basket_count = m->rows;
    if (with == 0) {
        uint64_t entries = csr_entries(m);
        for (uint64_t e = 0; e < entries; e++)
            b->count[m->column[e]]++;
        return;
    }
    for (uint32_t r = 0; r < m->rows && !cancelled_at(b, r); r++) {
        uint32_t held = 0;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
            held += b->role[m->column[e]] == ROLE_WITH;
        b->span[r].end = held == with;
        b->root->basket_count -= held != with;
        for (uint64_t e = m->start[r]; held == with && e < m->start[r + 1]; e++)
            b->count[m->column[e]]++;
    }
}

/* A group of an item that every set holds goes with none of them, and the other way round. */
static bool may_be_ranked(const struct builder *b, uint32_t item)
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
static bool rank_items(struct builder *b)
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

/* Gives each row of two or more ranked items its span in data and counts the list lengths. Like the
 * two passes below it stops early when cancelled; the caller looks. */
static uint64_t lay_out_rows(struct builder *b)
{
    const struct csr *m = b->baskets;
    uint64_t at = 1;
    for (uint32_t r = 0; r < m->rows && !cancelled_at(b, r); r++) {
        bool out = b->params->with_count && b->span[r].end == 0;
        uint32_t size = 0;
        for (uint64_t e = m->start[r]; !out && e < m->start[r + 1]; e++)
            size += b->rank_of[m->column[e]] != 0;
        b->span[r] = (struct span){0, 0};
        if (size < 2)
            continue;
        b->span[r] = (struct span){(uint32_t)at, (uint32_t)at + size};
        at += size + 1;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
            if (b->rank_of[m->column[e]])
                b->root->start[b->rank_of[m->column[e]]]++;
    }
    return at;
}

/* place[] lists rows per rank. */
static void deal_rows(struct builder *b)
{
    const struct csr *m = b->baskets;
    struct root *root = b->root;
    uint32_t before = 0;
    for (uint32_t k = 1; k <= root->item_count; k++) {
        uint32_t count = root->start[k];
        root->start[k] = before;
        before += count;
    }
    /* start[rank + 1] is where the rank's list grows, so it ends as the list's end. */
    for (uint32_t r = 0; r < m->rows && !cancelled_at(b, r); r++) {
        if (b->span[r].end == 0)
            continue;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
            if (b->rank_of[m->column[e]])
                root->place[root->start[b->rank_of[m->column[e]]]++] = r;
    }
}

static void sign_rows(struct builder *b)
{
    struct root *root = b->root;
    uint64_t always = 0;
    for (uint32_t i = 0; i < root->prefix_count; i++)
        always |= item_signature(root->prefix[i]);
    for (uint32_t i = 0; i < root->everywhere_count; i++)
        always |= item_signature(root->everywhere[i]);
    for (uint32_t r = 0; r < b->baskets->rows; r++) {
        struct extent *row = &root->extent[r];
        *row = (struct extent){.signature = always};
        if (b->span[r].end == 0)
            continue;
        uint32_t begin = b->span[r].end;
        while (root->data[begin - 1] != ROW_END)
            row->signature |= item_signature(root->item[root->data[--begin]]);
        row->at = begin;
        row->length = b->span[r].end - begin;
    }
}

static void fill_rows(struct builder *b)
{
    struct root *root = b->root;
    root->data[0] = ROW_END;
    for (uint32_t rank = 0; rank < root->item_count; rank++) {
        if (progress_cancelled(b->params->progress))
            return;
        for (uint32_t k = root->start[rank]; k < root->start[rank + 1]; k++) {
            struct span *row = &b->span[root->place[k]];
            if (b->bitmaps)
                b->bitmaps[rank * b->words + root->place[k] / 64] |= 1ULL << root->place[k] % 64;
            if (root->basket)
                root->basket[k] = root->place[k];
            root->data[row->fill++] = rank;
            root->place[k] = row->fill;
            root->cost[rank] += row->end - row->fill;
        }
    }
    for (uint32_t r = 0; r < b->baskets->rows; r++)
        if (b->span[r].end)
            root->data[b->span[r].end] = ROW_END;
    if (root->extent)
        sign_rows(b);
}

/* The ranks of the shard, the most costly first. */
static bool order_heads(struct builder *b)
{
    const struct itemset_params *p = b->params;
    struct root *r = b->root;
    struct ranked *order;
    if (!MEM_NEW(order, r->item_count))
        return false;
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

/* Where rows hold few of the items, baskets seldom share more than the set at hand, and looking at
 * some of them shows it; elsewhere the past of the rows is worth its keep (both measured on all the
 * shared data sets: bench_mine). */
static bool is_sparse(const struct root *r)
{
    return (uint64_t)r->data_count * SPARSE < (uint64_t)r->basket_count * r->item_count;
}

static int make_rows(struct builder *b)
{
    struct root *r = b->root;
    const struct progress *p = b->params->progress;
    if (!MEM_ZNEW(r->start, (size_t)r->item_count + 1))
        return ERR_NOMEM;
    uint64_t data = lay_out_rows(b);
    r->data_count = (uint32_t)data;
    MEM_NEW(r->data, data);
    MEM_NEW(r->place, data);
    MEM_NEW(r->heads, r->item_count);
    MEM_ZNEW(r->cost, r->item_count);
    bool dense = !is_sparse(r) && r->item_count <= PAIRS_MAX;
    b->words = b->baskets->rows / 64 + 1;
    if (dense && !MEM_ZNEW(b->bitmaps, r->item_count * b->words))
        return ERR_NOMEM;
    bool by_basket = b->params->target == TARGET_CLOSED && is_sparse(r);
    if (by_basket) {
        MEM_NEW(r->basket, data);
        MEM_NEW(r->extent, b->baskets->rows);
    }
    if (!r->data || !r->place || !r->heads || !r->cost || (by_basket && !(r->basket && r->extent)))
        return ERR_NOMEM;
    if (progress_cancelled(p))
        return ERR_CANCELLED;
    deal_rows(b);
    if (progress_cancelled(p))
        return ERR_CANCELLED;
    fill_rows(b);
    if (progress_cancelled(p))
        return ERR_CANCELLED;
    if (dense)
        r->pairs = pairs_count(b->bitmaps, r->item_count, b->words, false);
    return (r->pairs || !dense) && order_heads(b) ? 0 : ERR_NOMEM;
}

static int build(struct builder *b, struct error *err)
{
    int status = ERR_NOMEM;
    MEM_ZNEW(b->count, b->baskets->cols);
    MEM_ZNEW(b->rank_of, b->baskets->cols);
    MEM_ZNEW(b->role, b->baskets->cols);
    MEM_NEW(b->span, b->baskets->rows);
    if (b->count && b->rank_of && b->role && b->span) {
        status = set_roles(b, err);
        if (status == 0)
            count_items(b);
        if (status == 0)
            status = rank_items(b) ? make_rows(b) : ERR_NOMEM;
    }
    free(b->count);
    free(b->rank_of);
    free(b->role);
    free(b->span);
    free(b->bitmaps);
    return status;
}

int root_build(const struct csr *baskets, const struct itemset_params *params, struct root *out,
               struct error *err)
{
    struct builder b = {.root = out, .baskets = baskets, .params = params};
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
