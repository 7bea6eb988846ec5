/* The search. A node is a conditional database: the baskets that hold the prefix, reduced to the
 * items that can still extend it, numbered by ascending support. For each of its items e in turn:
 *
 *   gather   the rows that begin with e; each moves on to the list of its next item, so at any time
 *            a row is in exactly one list and no item needs a list of all its rows;
 *   count    one sweep over what follows e in those rows (occurrence deliver);
 *   sort out what follows: items in all of the rows are perfect extensions, set aside, as they
 *            double every set below; infrequent ones go; the rest are the survivors;
 *   descend  few survivors: a table of all combinations (itemsets_table.c);
 *            many: a new node, rows renumbered in the order of the new supports, equal rows merged.
 *
 * Every frequent set is found once: at the node where its rarest item, by that node's numbers, is
 * e. The depth is at most SET_LENGTH_MAX. Work of a node: the length of its rows. Memory: one arena
 * a worker, released per e.
 *
 * Closed and maximal sets: rows keep their past, the items passed before e. Perfect extensions join
 * the prefix, which is then closed unless an item of the past is in all of its baskets; in that
 * case no set of the branch is closed, and it is left (the prefix-preserving closure extension of
 * LCM). A closed prefix is maximal if no frequent item is left of the past or what follows. Of rows
 * that are merged for closed sets only the common past matters. The depth is bounded by DEPTH_MAX;
 * each level loses a basket and an item, so only baskets made for it come there. */
#include "itemsets_search.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where a node has so many times as many items as rows, only the items of the rows are looked at.
 */
#define FEW_ROWS 32
/* Fewer rows are not worth looking for equal ones. */
#define MERGE_ROWS 6
/* After so many different rows with next to no equal ones, no more are looked for. */
#define TRIED_ROWS 64
/* Up to this length insertion sort is faster than going through a bitmap. */
#define INSERTION_MAX 24
#define NARROW_WORDS  8
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

/* Fills w->frequent, with the supports in w->sum; returns the entries of the rows. */
static uint64_t count(struct worker *w, const struct node *node, uint32_t e,
                      const struct place *places, uint32_t place_count)
{
    uint32_t from = w->keeps_past ? 0 : e + 1;
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

static int compare_survivors(const void *a, const void *b)
{
    const struct survivor *x = a, *y = b;
    if (x->support != y->support)
        return x->support < y->support ? -1 : 1;
    return (x->local > y->local) - (x->local < y->local);
}

static void sort_survivors(struct survivor *s, uint32_t n)
{
    if (n > INSERTION_MAX) {
        qsort(s, n, sizeof *s, compare_survivors);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        struct survivor x = s[i];
        uint32_t j = i;
        for (; j > 0 && compare_survivors(&s[j - 1], &x) > 0; j--)
            s[j] = s[j - 1];
        s[j] = x;
    }
}

/* bits: zero, room for all numbers in the row; zero again afterwards. */
static void sort_row(uint32_t *row, uint32_t length, uint64_t *bits, uint32_t words)
{
    if (length <= INSERTION_MAX && (words > NARROW_WORDS || length <= 4)) {
        for (uint32_t i = 1; i < length; i++) {
            uint32_t x = row[i], j = i;
            for (; j > 0 && row[j - 1] > x; j--)
                row[j] = row[j - 1];
            row[j] = x;
        }
        return;
    }
    for (uint32_t i = 0; i < length; i++)
        bits[row[i] / 64] |= 1ULL << (row[i] % 64);
    uint32_t at = 0;
    for (uint32_t k = 0; k < words; k++) {
        for (uint64_t rest = bits[k]; rest; rest &= rest - 1)
            row[at++] = k * 64 + (uint32_t)__builtin_ctzll(rest);
        bits[k] = 0;
    }
}

/* Open addressing over the rows built so far. */
struct merger {
    uint32_t *slots; /* row + 1; NULL: rows are not merged */
    uint32_t mask;
};

static bool merger_init(struct worker *w, struct merger *m, uint32_t rows)
{
    *m = (struct merger){0};
    if (rows < MERGE_ROWS || w->job->root->extent)
        return true;
    uint32_t size = 16;
    while (size < rows + rows / 2)
        size *= 2;
    m->slots = scratch(w, size, sizeof *m->slots);
    if (!m->slots)
        return false;
    memset(m->slots, 0, size * sizeof *m->slots);
    m->mask = size - 1;
    return true;
}

static bool same_row(const uint32_t *a, const uint32_t *b)
{
    while (*a == *b && *a != ROW_END)
        a++, b++;
    return *a == *b;
}

/* The past that ends before `kept` becomes what it shares with the one that ends before `other`.
 * Both ascend; the result moves up to its end and is bounded anew. */
static void share_past(uint32_t *kept, const uint32_t *other)
{
    uint32_t *to = kept;
    const uint32_t *a = kept - 1, *b = other - 1;
    while (*a != ROW_END && *b != ROW_END) {
        if (*a == *b) {
            *--to = *a--;
            b--;
        } else if (*a > *b) {
            a--;
        } else {
            b--;
        }
    }
    to[-1] = ROW_END;
}

/* True: a row with the same items exists and took the weight. Else the row, which begins at `key`
 * for comparing, is entered as row_count. */
static bool merged(struct merger *m, struct node *node, uint32_t *data, const uint32_t *key,
                   uint32_t front, uint32_t weight)
{
    uint64_t hash = 0;
    uint32_t back = (uint32_t)(data + front - key);
    for (const uint32_t *p = key; *p != ROW_END; p++)
        hash = (hash + *p + 1) * 0x9E3779B97F4A7C15u;
    uint32_t slot = (uint32_t)(hash >> 32) & m->mask;
    for (; m->slots[slot]; slot = (slot + 1) & m->mask) {
        struct row *other = &node->rows[m->slots[slot] - 1];
        if (other->front < back || !same_row(data + other->front - back, key))
            continue;
        other->weight += weight;
        if (back == 0 && data[other->front - 1] != ROW_END)
            share_past(data + other->front, data + front);
        return true;
    }
    m->slots[slot] = node->row_count + 1;
    return false;
}

/* The survivors' numbers of one row; returns how many there are. */
static uint32_t renumber(const uint32_t *number, const uint32_t *from, uint32_t *to)
{
    uint32_t length = 0;
    for (; *from != ROW_END; from++) {
        to[length] = number[*from] - 1;
        length += number[*from] != 0;
    }
    return length;
}

static uint32_t renumber_past(const uint32_t *number, const uint32_t *last, uint32_t *to)
{
    uint32_t length = 0;
    for (; *last != ROW_END; last--) {
        to[length] = number[*last] - 1;
        length += number[*last] != 0;
    }
    return length;
}

/* The rows of the masks, each in the list of its first own item. */
static void write_rows(struct node *child, const uint64_t *masks, uint32_t count)
{
    uint32_t *data = (uint32_t *)child->data, fill = 1;
    data[0] = ROW_END;
    for (uint32_t r = 0; r < count; r++) {
        struct row *row = &child->rows[r];
        uint32_t front =
            fill + (uint32_t)__builtin_popcountll(masks[r] & ((1ULL << child->past_count) - 1));
        for (uint64_t rest = masks[r]; rest; rest &= rest - 1)
            data[fill++] = (uint32_t)__builtin_ctzll(rest);
        data[fill++] = ROW_END;
        row->front = front;
        row->next = child->list[data[front]];
        child->list[data[front]] = r;
    }
    child->row_count = count;
    child->data_count = fill;
}

/* A node of at most 64 items: rows are words with a bit for each item, so that they need no sorting
 * and are compared and merged as numbers; they are written out at the end. Rows of one item and no
 * past add to no sum and are left out. */
static bool fill_narrow(struct worker *w, struct node *child, const struct node *parent,
                        const struct place *places, uint32_t place_count)
{
    struct merger merger;
    uint64_t *masks = scratch(w, place_count, sizeof *masks);
    if (!masks || !merger_init(w, &merger, place_count))
        return false;
    const uint64_t past = (1ULL << child->past_count) - 1;
    const bool single = w->job->root->extent;
    const uint64_t key = w->job->target == TARGET_MAXIMAL ? UINT64_MAX : ~past;
    uint32_t count = 0;
    for (uint32_t i = 0; i < place_count; i++) {
        const uint32_t *begin = parent->data + places[i].at;
        uint64_t mask = 0;
        for (const uint32_t *p = begin; *p != ROW_END; p++)
            mask |= w->bit[*p];
        if (w->keeps_past)
            for (const uint32_t *p = begin - 2; *p != ROW_END; p--)
                mask |= w->bit[*p];
        if ((mask & ~past) == 0 || ((mask & (mask - 1)) == 0 && !single))
            continue;
        uint32_t slot = 0, weight = places[i].weight;
        if (merger.slots) {
            slot = (uint32_t)((mask & key) * 0x9E3779B97F4A7C15u >> 32) & merger.mask;
            while (merger.slots[slot] && ((masks[merger.slots[slot] - 1] ^ mask) & key))
                slot = (slot + 1) & merger.mask;
            if (merger.slots[slot]) {
                uint32_t other = merger.slots[slot] - 1;
                child->rows[other].weight += weight;
                masks[other] &= mask | key;
                continue;
            }
            merger.slots[slot] = count + 1;
        }
        masks[count] = mask;
        child->rows[count++] = (struct row){.weight = weight, .basket = places[i].basket};
    }
    write_rows(child, masks, count);
    return true;
}

static bool fill_wide(struct worker *w, struct node *child, const struct node *parent,
                      const struct place *places, uint32_t place_count)
{
    struct merger merger;
    uint32_t words = child->item_count / 64 + 1, fill = 1, *data = (uint32_t *)child->data;
    uint64_t *bits = scratch(w, words, sizeof *bits);
    if (!bits || !merger_init(w, &merger, place_count))
        return false;
    memset(bits, 0, words * sizeof *bits);
    data[0] = ROW_END;
    bool exact = w->job->target == TARGET_MAXIMAL; /* counts of the past matter */
    for (uint32_t i = 0; i < place_count; i++) {
        uint32_t *row = data + fill, weight = places[i].weight, past = 0;
        const uint32_t *from = parent->data + places[i].at;
        if (w->keeps_past)
            past = renumber_past(w->number, from - 2, row);
        uint32_t length = past + renumber(w->number, from, row + past);
        if (length == past || (length < 2 && !w->job->root->extent))
            continue;
        sort_row(row, length, bits, words);
        row[length] = ROW_END;
        if (merger.slots &&
            merged(&merger, child, data, exact ? row : row + past, fill + past, weight))
            continue;
        if (child->row_count == TRIED_ROWS && i < TRIED_ROWS + TRIED_ROWS / 16)
            merger.slots = NULL; /* hardly any are equal */
        child->rows[child->row_count++] =
            (struct row){fill + past, weight, child->list[row[past]], places[i].basket};
        child->list[row[past]] = child->row_count - 1;
        fill += length + 1;
    }
    child->data_count = fill;
    return true;
}

/* The survivors become the items of a new node; `steps` bounds the entries of its rows. */
static void grow_child(struct worker *w, struct node *parent, const struct place *places,
                       uint32_t place_count, uint64_t steps)
{
    uint32_t past = w->keeps_past ? w->past_count : 0, total = past + w->survivor_count;
    struct node child = {.item_count = total,
                         .past_count = past,
                         .next = past,
                         .end = total,
                         .length = w->length,
                         .extra_count = w->extra_count};
    uint32_t *item = scratch(w, total, sizeof *item);
    uint32_t *support = scratch(w, total, sizeof *support);
    child.data = scratch(w, steps + place_count + 2, sizeof *child.data);
    child.rows = scratch(w, place_count, sizeof *child.rows);
    child.list = scratch(w, total, sizeof *child.list);
    if (w->status)
        return;
    sort_survivors(w->survivors, w->survivor_count);
    for (uint32_t k = 0; k < total; k++) {
        uint32_t local = k < past ? w->past[k] : w->survivors[k - past].local;
        item[k] = parent->item[local];
        support[k] = k < past ? 0 : w->survivors[k - past].support;
        child.list[k] = NO_ROW;
        w->number[local] = k + 1;
        w->bit[local] = 1ULL << (k & 63);
    }
    child.item = item;
    child.support = support;
    bool filled = total <= 64 && past < 64 ? fill_narrow(w, &child, parent, places, place_count)
                                           : fill_wide(w, &child, parent, places, place_count);
    for (uint32_t k = 0; k < total; k++) {
        uint32_t local = k < past ? w->past[k] : w->survivors[k - past].local;
        w->number[local] = 0;
        w->bit[local] = 0;
    }
    if (filled)
        grow_node(w, &child);
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
    else if (!sort_out_closed(w, node, e) || (w->job->root->extent && place_count == support &&
                                              !nothing_shared(w, w->length, places, place_count)))
        return;
    if (w->job->target != TARGET_MAXIMAL || w->survivor_count + w->past_count == 0)
        found(w, w->length, support);
    if (w->survivor_count == 0 || (w->length >= w->job->max_length && !w->job->parent))
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
