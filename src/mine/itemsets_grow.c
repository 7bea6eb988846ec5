/* The search. A node is a conditional database: the baskets that hold the prefix, reduced to the
 * items that can still extend it, numbered by ascending support. For each of its items e in turn:
 *
 *   gather   the rows that begin with e; each moves on to the list of its next item, so at any time
 *            a row is in exactly one list and no item needs a list of all its rows;
 *   count    one sweep over what follows e in those rows (occurrence deliver);
 *   sort out what follows: items in all of the rows are perfect extensions, set aside, as they
 *            double every set below; infrequent ones go; the rest are the survivors;
 *   descend  few survivors: a table of all combinations (itemsets_table.c);
 *            many: a new node (itemsets_node.c).
 *
 * Every frequent set is found once: at the node where its rarest item, by that node's numbers, is
 * e. The depth is at most SET_LENGTH_MAX. Work of a node: the length of its rows. Memory: one arena
 * a worker, released per e.
 *
 * Closed and maximal sets: rows keep their past, the items passed before e. Perfect extensions join
 * the prefix, which is then closed unless an item of the past is in all of its baskets; in that
 * case no set of the branch is closed, and it is left (the prefix-preserving closure extension of
 * LCM). A closed prefix is maximal if no frequent item is left of the past or what follows. Of rows
 * that are merged for closed sets only the common past matters. Where baskets are sparse the past
 * is not carried along; itemsets_close.c looks at the baskets instead. The depth is bounded by
 * DEPTH_MAX; each level loses a basket and an item, so only baskets made for it come there. */
#include "itemsets_search.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where a node has so many times as many items as rows, only the items of the rows are looked at.
 */
#define FEW_ROWS 32
/* Steps between two looks at the cancel flag: about 2 ms. */
#define WORK_PER_LOOK (1u << 20)
#define DEPTH_MAX     2048

static void grow_node(struct worker *w, struct node *node);

static uint32_t threshold(const struct worker *w)
{
    return atomic_load_explicit(w->job->threshold, memory_order_relaxed);
}

void *scratch(struct worker *w, size_t count, size_t size)
{
    void *p = arena_alloc(&w->arena, count, size);
    if (!p)
        w->status = ERR_NOMEM;
    return p;
}

/* Adds up the weights of what follows in the rows, and of the past if that is kept; returns how
 * many entries that are. */
static uint64_t add_up(const struct worker *w, const struct node *node, const struct place *places,
                       uint32_t place_count)
{
    uint32_t *sum = w->sum;
    uint64_t entries = 0;
    for (uint32_t i = 0; i < place_count; i++) {
        const uint32_t *begin = node->data + places[i].at, *p = begin;
        uint32_t weight = places[i].weight;
        __builtin_prefetch(node->data + places[i + 6 < place_count ? i + 6 : i].at);
        for (; *p != ROW_END; p++)
            sum[*p] += weight;
        entries += (uint64_t)(p - begin);
        if (!w->keeps_past)
            continue;
        for (p = begin - 2; *p != ROW_END; p--)
            sum[*p] += weight;
        entries += (uint64_t)(begin - 1 - p);
    }
    return entries;
}

/* Lists the items from `k` to `end` whose sums reach the threshold; the others' become zero. */
static void list_frequent(struct worker *w, uint32_t k, uint32_t end)
{
    typedef uint32_t lanes __attribute__((vector_size(16), aligned(4), may_alias));
    typedef uint64_t halves __attribute__((vector_size(16)));
    uint32_t least = threshold(w), *sum = w->sum, *list = w->frequent, count = 0;
    for (; k + 8 <= end; k += 8) {
        lanes *at = (lanes *)(sum + k);
        halves any = (halves)((at[0] >= least) | (at[1] >= least));
        if (any[0] | any[1]) {
            for (uint32_t i = k; i < k + 8; i++) {
                list[count] = i;
                count += sum[i] >= least;
                sum[i] = sum[i] >= least ? sum[i] : 0;
            }
        } else {
            at[0] = at[1] = (lanes){0};
        }
    }
    for (; k < end; k++) {
        list[count] = k;
        count += sum[k] >= least;
        sum[k] = sum[k] >= least ? sum[k] : 0;
    }
    w->frequent_count = count;
}

/* The same for few rows: only items that are in one of them are looked at. */
static uint64_t count_few(struct worker *w, const struct node *node, const struct place *places,
                          uint32_t place_count)
{
    uint32_t least = threshold(w), touched = 0, *sum = w->sum, *list = w->frequent;
    uint64_t entries = 0;
    for (uint32_t i = 0; i < place_count; i++) {
        const uint32_t *begin = node->data + places[i].at, *p = begin;
        uint32_t weight = places[i].weight;
        for (; *p != ROW_END; p++) {
            list[touched] = *p;
            touched += sum[*p] == 0;
            sum[*p] += weight;
        }
        entries += (uint64_t)(p - begin);
        if (!w->keeps_past)
            continue;
        for (p = begin - 2; *p != ROW_END; p--) {
            list[touched] = *p;
            touched += sum[*p] == 0;
            sum[*p] += weight;
        }
        entries += (uint64_t)(begin - 1 - p);
    }
    w->frequent_count = 0;
    for (uint32_t t = 0; t < touched; t++) {
        uint32_t local = list[t];
        if (sum[local] >= least)
            list[w->frequent_count++] = local;
        else
            sum[local] = 0;
    }
    return entries;
}

/* The same for a head of dense baskets, whose pairs are counted already. */
static uint64_t count_pairs(struct worker *w, uint32_t e, uint32_t from)
{
    const struct root *root = w->job->root;
    const uint32_t *pairs = root->pairs + (size_t)e * root->item_count;
    uint32_t least = threshold(w), count = 0;
    uint64_t entries = 0;
    for (uint32_t k = from; k < root->item_count; k++) {
        if (k == e)
            continue;
        entries += pairs[k];
        w->frequent[count] = k;
        count += pairs[k] >= least;
        w->sum[k] = pairs[k] >= least ? pairs[k] : 0;
    }
    w->frequent_count = count;
    return entries;
}

/* Fills w->frequent, with the supports in w->sum; returns the entries of the rows. */
static uint64_t count(struct worker *w, const struct node *node, uint32_t e,
                      const struct place *places, uint32_t place_count)
{
    uint32_t from = w->keeps_past ? 0 : e + 1;
    if (w->job->root->pairs && node->data == w->job->root->data)
        return count_pairs(w, e, from);
    if (place_count < (node->item_count - from) / FEW_ROWS)
        return count_few(w, node, places, place_count);
    uint64_t entries = add_up(w, node, places, place_count);
    list_frequent(w, from, node->item_count);
    return entries;
}

/* All sets: perfect extensions go to w->extra, except those that a group keeps from going with
 * others; what may not be with e goes. */
static void sort_out_all(struct worker *w, const struct node *node, uint32_t e)
{
    uint32_t survivors = 0, support = node->support[e];
    const uint32_t *parent = w->job->parent;
    for (uint32_t f = 0; f < w->frequent_count; f++) {
        uint32_t local = w->frequent[f], sum = w->sum[local];
        w->sum[local] = 0;
        if (parent && related(parent, node->item[local], node->item[e]))
            continue;
        if (sum == support && !parent)
            w->extra[w->extra_count++] = node->item[local];
        else
            w->survivors[survivors++] = (struct survivor){sum, local};
    }
    w->survivor_count = survivors;
}

/* Closed and maximal sets; false: an item of the past is in all of the baskets. */
static bool sort_out_closed(struct worker *w, const struct node *node, uint32_t e)
{
    uint32_t survivors = 0, past = 0, support = node->support[e];
    bool closed = true;
    for (uint32_t f = 0; f < w->frequent_count; f++) {
        uint32_t local = w->frequent[f], sum = w->sum[local];
        w->sum[local] = 0;
        if (local < e) {
            w->past[past++] = local;
            closed = closed && sum != support;
        } else if (sum == support) {
            push(w, w->length++, node->item[local]);
        } else {
            w->survivors[survivors++] = (struct survivor){sum, local};
        }
    }
    w->survivor_count = survivors;
    w->past_count = past;
    return closed;
}

/* `steps` bounds the entries of the rows. */
static void grow_child(struct worker *w, const struct node *parent, const struct place *places,
                       uint32_t place_count, uint64_t steps)
{
    struct node child;
    if (node_build(w, &child, parent, places, place_count, steps))
        grow_node(w, &child);
}

/* Maximal sets: the baskets that hold the prefix and all survivors at once; their past is added up
 * in w->sum. */
static uint32_t count_whole(struct worker *w, const struct node *node, const struct place *places,
                            uint32_t place_count)
{
    uint32_t support = 0;
    for (uint32_t k = 0; k < w->survivor_count; k++)
        w->number[w->survivors[k].local] = 1;
    for (uint32_t i = 0; i < place_count; i++) {
        const uint32_t *begin = node->data + places[i].at;
        uint32_t held = 0;
        for (const uint32_t *p = begin; *p != ROW_END; p++)
            held += w->number[*p];
        if (held < w->survivor_count)
            continue;
        support += places[i].weight;
        for (const uint32_t *p = begin - 2; *p != ROW_END; p--)
            w->sum[*p] += places[i].weight;
    }
    for (uint32_t k = 0; k < w->survivor_count; k++)
        w->number[w->survivors[k].local] = 0;
    return support;
}

/* Where the prefix with all survivors is frequent, the branch has no other maximal set than that,
 * and not even that when an item of the past goes with it: the pruning of FPmax (Grahne & Zhu, FIMI
 * 2003) without a store of what was found. True: the branch is done. */
static bool settle_whole(struct worker *w, const struct node *node, uint32_t e,
                         const struct place *places, uint32_t place_count)
{
    uint32_t support = count_whole(w, node, places, place_count), least = threshold(w);
    bool maximal = support >= least;
    for (uint32_t k = 0; k < e; k++) {
        maximal = maximal && w->sum[k] < least;
        w->sum[k] = 0;
    }
    if (maximal) {
        for (uint32_t k = 0; k < w->survivor_count; k++)
            push(w, w->length + k, node->item[w->survivors[k].local]);
        found(w, w->length + w->survivor_count, support);
    }
    return support >= least;
}

static void find_singles(struct worker *w, const struct node *node)
{
    for (uint32_t k = 0; k < w->survivor_count; k++) {
        push(w, w->length, node->item[w->survivors[k].local]);
        found(w, w->length + 1, w->survivors[k].support);
    }
}

static void extend(struct worker *w, struct node *node, uint32_t e, const struct place *places,
                   uint32_t place_count)
{
    uint64_t steps = count(w, node, e, places, place_count);
    uint32_t support = node->support[e];
    w->work += steps + place_count;
    if (w->all)
        sort_out_all(w, node, e);
    else if (!sort_out_closed(w, node, e) ||
             (w->job->root->extent && place_count == support &&
              !nothing_shared(w, w->length, &(struct baskets){places, place_count, NULL, 0})))
        return;
    if (w->job->target != TARGET_MAXIMAL || w->survivor_count + w->past_count == 0)
        found(w, w->length, support);
    if (w->survivor_count == 0 || (w->length >= w->job->max_length && !w->job->parent))
        return;
    if (w->job->target == TARGET_MAXIMAL && settle_whole(w, node, e, places, place_count))
        return;
    if (w->all && (w->survivor_count == 1 || w->length + 1 == w->job->max_length))
        find_singles(w, node);
    else if (table_pays(w, steps, place_count, support))
        grow_table(w, node, places, place_count);
    else
        grow_child(w, node, places, place_count, steps);
}

static void look_around(struct worker *w)
{
    w->work = 0;
    if (w->status == 0 && (progress_cancelled(w->job->progress) || atomic_load(&w->tasks->stop)))
        w->status = ERR_CANCELLED;
}

void grow_item(struct worker *w, struct node *node, uint32_t local, const struct place *places,
               uint32_t place_count)
{
    uint32_t length = w->length, extra_count = w->extra_count;
    if (node->support[local] < threshold(w))
        return;
    struct arena_mark mark = arena_mark(&w->arena);
    push(w, w->length++, node->item[local]);
    if (w->length == w->job->max_length && w->all)
        found(w, w->length, node->support[local]);
    else
        extend(w, node, local, places, place_count);
    w->length = length;
    w->extra_count = extra_count;
    arena_release(&w->arena, mark);
    if (w->work >= WORK_PER_LOOK)
        look_around(w);
}

/* Each row moves to the list of the item that follows. A last item needs no list when nothing
 * before it matters. */
uint32_t node_gather(struct worker *w, struct node *node, uint32_t local, struct place *places)
{
    uint32_t n = 0, more = w->all ? 1 : 0;
    for (uint32_t r = node->list[local], next; r != NO_ROW; r = next) {
        struct row *row = &node->rows[r];
        next = row->next;
        places[n++] = (struct place){++row->front, row->weight, row->basket};
        const uint32_t *rest = node->data + row->front;
        if (rest[0] != ROW_END && rest[more] != ROW_END) {
            row->next = node->list[rest[0]];
            node->list[rest[0]] = r;
        }
    }
    return n;
}

static void grow_node(struct worker *w, struct node *node)
{
    struct place *places = scratch(w, node->row_count, sizeof *places);
    struct node **link = w->innermost;
    if (w->depth == DEPTH_MAX && w->status == 0)
        w->status = ERR_TOO_LARGE;
    w->depth++;
    *link = node;
    w->innermost = &node->inner;
    bool split = w->outermost == node && task_is_heavy(w);
    for (; node->next < node->end && w->status == 0; node->next++) {
        uint32_t n = node_gather(w, node, node->next, places);
        if (split || atomic_load_explicit(&w->tasks->hungry, memory_order_relaxed))
            tasks_split(w);
        grow_item(w, node, node->next, places, n);
    }
    *link = NULL;
    w->innermost = link;
    w->depth--;
}
