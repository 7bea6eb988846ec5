/* The search. A node is a conditional database: the baskets that hold the prefix, reduced to the
 * items that can still extend it, numbered by ascending support. For each of its items e in turn:
 *
 *   gather   the rows that begin with e; each moves on to the list of its next item, so at any time
 *            a row is in exactly one list and no item needs a list of all its rows;
 *   count    one sweep over what follows e in those rows (occurrence deliver);
 *   sort out what follows: items in all of the rows are perfect extensions, set aside, as they
 *            double every set below; infrequent ones go; the rest are the survivors;
 *   descend  few survivors: a table of 2^k counters, one for each combination, summed over
 *            supersets (Yates' transform), holds the supports of all of them;
 *            many: a new node, rows renumbered in the order of the new supports, equal rows merged.
 *
 * Every frequent set is found once: at the node where its rarest item, by that node's numbers, is
 * e. The depth is at most SET_LENGTH_MAX. Work of a node: the length of its rows and, for a table,
 * k 2^(k-1), which is only spent where it is less. Memory: one arena a worker, released per e. */
#include "itemsets_internal.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NO_ROW UINT32_MAX
/* A table never has more than 2^TABLE_BITS counters (64 KiB: level-2 cache). */
#define TABLE_BITS 14
/* Additions of a table that cost as much as one step of a sweep. */
#define TABLE_ADDS 8
/* Fewer rows are not worth looking for equal ones. */
#define MERGE_ROWS 6
/* Up to this length insertion sort is faster than going through a bitmap. */
#define INSERTION_MAX 24
/* Steps between two looks at the cancel flag: about 2 ms. */
#define WORK_PER_LOOK (1u << 20)

struct place {
    uint32_t at, weight; /* where in data a row goes on, how many baskets it stands for */
};

struct row {
    uint32_t front, weight, next;
};

struct node {
    uint32_t item_count;
    const uint32_t *item, *support;
    const uint32_t *data;
    struct row *rows;
    uint32_t *list; /* [item_count] first row of the list, NO_ROW */
    uint32_t row_count;
    /* scratch, zero between two items */
    uint32_t *sum;    /* [item_count] */
    uint32_t *number; /* [item_count] new number + 1, or the item's bit */
    /* scratch, any content */
    uint32_t *touched; /* [item_count + 1] */
    struct survivor *survivors;
};

struct survivor {
    uint32_t support, local; /* local: number in the node */
};

struct worker {
    const struct grow_job *job;
    uint32_t index;
    struct arena arena;
    uint32_t *item; /* the prefix, room for one set below it */
    uint32_t length;
    uint32_t *extra; /* perfect extensions of the prefix */
    uint32_t extra_count;
    uint64_t work;
    int status;
};

struct search {
    const struct grow_job *job;
    struct cursor cursor;
    struct worker workers[PARALLEL_WORKERS_MAX];
};

static void grow_node(struct worker *w, struct node *node);

static uint32_t threshold(const struct worker *w)
{
    return atomic_load_explicit(w->job->threshold, memory_order_relaxed);
}

static void *scratch(struct worker *w, size_t count, size_t size)
{
    void *p = arena_alloc(&w->arena, count, size);
    if (!p)
        w->status = ERR_NOMEM;
    return p;
}

static void found(struct worker *w, uint32_t length, uint32_t support)
{
    struct itemset_group group = {.items = w->item,
                                  .extra = w->extra,
                                  .length = length,
                                  .extra_count = w->extra_count,
                                  .support = support,
                                  .max_choice = w->job->max_length - length};
    if (w->status == 0)
        w->status = w->job->found(w->job->context, w->index, &group);
}

static bool scratch_for(struct worker *w, struct node *node)
{
    node->sum = scratch(w, node->item_count, sizeof *node->sum);
    node->number = scratch(w, node->item_count, sizeof *node->number);
    node->touched = scratch(w, (size_t)node->item_count + 1, sizeof *node->touched);
    node->survivors = scratch(w, node->item_count, sizeof *node->survivors);
    if (w->status)
        return false;
    memset(node->sum, 0, node->item_count * sizeof *node->sum);
    memset(node->number, 0, node->item_count * sizeof *node->number);
    return true;
}

/* Adds up the weights of what follows in the rows; returns how many different items that are, and
 * in *steps how many entries. */
static uint32_t count(const struct node *node, const struct place *places, uint32_t place_count,
                      uint64_t *steps)
{
    uint32_t touched = 0;
    uint64_t entries = 0;
    for (uint32_t i = 0; i < place_count; i++) {
        const uint32_t *begin = node->data + places[i].at, *p = begin;
        uint32_t weight = places[i].weight;
        for (; *p != ROW_END; p++) {
            node->touched[touched] = *p;
            touched += node->sum[*p] == 0;
            node->sum[*p] += weight;
        }
        entries += (uint64_t)(p - begin);
    }
    *steps = entries;
    return touched;
}

/* Zeroes the sums; perfect extensions go to w->extra, survivors are returned. */
static uint32_t sort_out(struct worker *w, struct node *node, uint32_t touched, uint32_t support)
{
    uint32_t least = threshold(w), survivors = 0;
    for (uint32_t t = 0; t < touched; t++) {
        uint32_t local = node->touched[t], sum = node->sum[local];
        node->sum[local] = 0;
        if (sum == support)
            w->extra[w->extra_count++] = node->item[local];
        else if (sum >= least)
            node->survivors[survivors++] = (struct survivor){sum, local};
    }
    return survivors;
}

/* sums[m] becomes the sum of sums[s] over all s that contain m. */
static void add_supersets(uint32_t *restrict sums, uint32_t bits)
{
    uint32_t size = 1u << bits;
    for (uint32_t half = 1; half < size; half *= 2)
        for (uint32_t m = 0; m < size; m += 2 * half)
            for (uint32_t k = m; k < m + half; k++)
                sums[k] += sums[k + half];
}

static void report_table(struct worker *w, const struct node *node, const uint32_t *sums,
                         uint32_t bits)
{
    uint32_t least = threshold(w), room = w->job->max_length - w->length;
    for (uint32_t m = 1; m < 1u << bits; m++) {
        if (sums[m] < least || (uint32_t)__builtin_popcount(m) > room)
            continue;
        uint32_t length = w->length;
        for (uint32_t rest = m; rest; rest &= rest - 1) {
            uint32_t local = node->survivors[__builtin_ctz(rest)].local;
            w->item[length++] = node->item[local];
        }
        found(w, length, sums[m]);
    }
}

static void fill_table(const struct node *node, const struct place *places, uint32_t place_count,
                       uint32_t *sums)
{
    for (uint32_t i = 0; i < place_count; i++) {
        uint32_t mask = 0;
        for (const uint32_t *p = node->data + places[i].at; *p != ROW_END; p++)
            mask |= node->number[*p];
        sums[mask] += places[i].weight;
    }
}

static void grow_table(struct worker *w, struct node *node, const struct place *places,
                       uint32_t place_count, uint32_t bits)
{
    uint32_t *sums = scratch(w, 1u << bits, sizeof *sums);
    if (!sums)
        return;
    memset(sums, 0, sizeof *sums << bits);
    for (uint32_t b = 0; b < bits; b++)
        node->number[node->survivors[b].local] = 1u << b;
    fill_table(node, places, place_count, sums);
    for (uint32_t b = 0; b < bits; b++)
        node->number[node->survivors[b].local] = 0;
    add_supersets(sums, bits);
    report_table(w, node, sums, bits);
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
    if (length <= INSERTION_MAX) {
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
    if (rows < MERGE_ROWS)
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

/* True: an equal row exists and took the weight. Else the row is entered as row_count. */
static bool merged(struct merger *m, struct node *node, const uint32_t *row, uint32_t weight)
{
    uint64_t hash = 0;
    for (const uint32_t *p = row; *p != ROW_END; p++)
        hash = (hash + *p + 1) * 0x9E3779B97F4A7C15u;
    uint32_t slot = (uint32_t)(hash >> 32) & m->mask;
    for (; m->slots[slot]; slot = (slot + 1) & m->mask) {
        struct row *other = &node->rows[m->slots[slot] - 1];
        if (same_row(node->data + other->front, row)) {
            other->weight += weight;
            return true;
        }
    }
    m->slots[slot] = node->row_count + 1;
    return false;
}

/* The survivors' numbers of one row, sorted and ended, at `to`; fewer than two: nothing to do with
 * it. Returns how many there are. */
static uint32_t renumber(const struct node *parent, const uint32_t *from, uint32_t *to)
{
    uint32_t length = 0;
    for (; *from != ROW_END; from++) {
        to[length] = parent->number[*from] - 1;
        length += parent->number[*from] != 0;
    }
    return length;
}

static bool fill_node(struct worker *w, struct node *child, const struct node *parent,
                      const struct place *places, uint32_t place_count, uint32_t *data)
{
    struct merger merger;
    uint32_t words = child->item_count / 64 + 1, fill = 0;
    uint64_t *bits = scratch(w, words, sizeof *bits);
    if (!bits || !merger_init(w, &merger, place_count))
        return false;
    memset(bits, 0, words * sizeof *bits);
    for (uint32_t i = 0; i < place_count; i++) {
        uint32_t *row = data + fill, weight = places[i].weight;
        uint32_t length = renumber(parent, parent->data + places[i].at, row);
        if (length < 2)
            continue;
        sort_row(row, length, bits, words);
        row[length] = ROW_END;
        if (merger.slots && merged(&merger, child, row, weight))
            continue;
        child->rows[child->row_count++] = (struct row){fill, weight, child->list[row[0]]};
        child->list[row[0]] = child->row_count - 1;
        fill += length + 1;
    }
    return true;
}

/* The survivors become the items of a new node; `steps` bounds the entries of its rows. */
static void grow_child(struct worker *w, struct node *parent, const struct place *places,
                       uint32_t place_count, uint32_t survivors, uint64_t steps)
{
    struct node child = {.item_count = survivors};
    uint32_t *item = scratch(w, survivors, sizeof *item);
    uint32_t *support = scratch(w, survivors, sizeof *support);
    uint32_t *data = scratch(w, steps + place_count + 1, sizeof *data);
    child.rows = scratch(w, place_count, sizeof *child.rows);
    child.list = scratch(w, survivors, sizeof *child.list);
    if (w->status || !scratch_for(w, &child))
        return;
    sort_survivors(parent->survivors, survivors);
    for (uint32_t k = 0; k < survivors; k++) {
        uint32_t local = parent->survivors[k].local;
        item[k] = parent->item[local];
        support[k] = parent->survivors[k].support;
        child.list[k] = NO_ROW;
        parent->number[local] = k + 1;
    }
    child.item = item;
    child.support = support;
    child.data = data;
    bool filled = fill_node(w, &child, parent, places, place_count, data);
    for (uint32_t k = 0; k < survivors; k++)
        parent->number[parent->survivors[k].local] = 0;
    if (filled)
        grow_node(w, &child);
}

static bool table_pays(uint32_t bits, uint64_t steps)
{
    return bits <= TABLE_BITS && ((uint64_t)bits << bits) / 2 <= TABLE_ADDS * (steps + 16);
}

static void extend(struct worker *w, struct node *node, const struct place *places,
                   uint32_t place_count, uint32_t support)
{
    uint64_t steps;
    uint32_t touched = count(node, places, place_count, &steps);
    uint32_t survivors = sort_out(w, node, touched, support);
    w->work += steps + place_count;
    found(w, w->length, support);
    if (survivors == 0)
        return;
    if (survivors == 1 || w->length + 1 == w->job->max_length) {
        for (uint32_t k = 0; k < survivors; k++) {
            w->item[w->length] = node->item[node->survivors[k].local];
            found(w, w->length + 1, node->survivors[k].support);
        }
    } else if (table_pays(survivors, steps)) {
        grow_table(w, node, places, place_count, survivors);
    } else {
        grow_child(w, node, places, place_count, survivors, steps);
    }
}

/* All sets that have `local` as their first item at this node. */
static void grow_item(struct worker *w, struct node *node, uint32_t local,
                      const struct place *places, uint32_t place_count)
{
    uint32_t support = node->support[local], extra_count = w->extra_count;
    if (support < threshold(w))
        return;
    struct arena_mark mark = arena_mark(&w->arena);
    w->item[w->length++] = node->item[local];
    if (w->length == w->job->max_length)
        found(w, w->length, support);
    else
        extend(w, node, places, place_count, support);
    w->length--;
    w->extra_count = extra_count;
    arena_release(&w->arena, mark);
    if (w->work >= WORK_PER_LOOK) {
        w->work = 0;
        if (w->status == 0 && progress_cancelled(w->job->progress))
            w->status = ERR_CANCELLED;
    }
}

/* Takes the rows that begin with the item and moves each to the list of the item that follows. A
 * last item needs no list: nothing follows it. */
static uint32_t gather(struct node *node, uint32_t local, struct place *places)
{
    uint32_t n = 0;
    for (uint32_t r = node->list[local], next; r != NO_ROW; r = next) {
        struct row *row = &node->rows[r];
        next = row->next;
        places[n++] = (struct place){++row->front, row->weight};
        const uint32_t *rest = node->data + row->front;
        if (rest[1] != ROW_END) {
            row->next = node->list[rest[0]];
            node->list[rest[0]] = r;
        }
    }
    return n;
}

static void grow_node(struct worker *w, struct node *node)
{
    struct place *places = scratch(w, node->row_count, sizeof *places);
    for (uint32_t k = 0; k < node->item_count && w->status == 0; k++) {
        uint32_t n = gather(node, k, places);
        grow_item(w, node, k, places, n);
    }
}

static uint32_t gather_root(const struct root *root, uint32_t rank, struct place *places)
{
    uint32_t n = 0;
    for (uint32_t k = root->start[rank]; k < root->start[rank + 1]; k++)
        if (root->data[root->place[k]] != ROW_END)
            places[n++] = (struct place){root->place[k], 1};
    return n;
}

static bool worker_init(struct worker *w, const struct root *root)
{
    arena_init(&w->arena);
    uint32_t items = root->item_count + root->everywhere_count;
    w->item = scratch(w, SET_LENGTH_MAX + TABLE_BITS, sizeof *w->item);
    w->extra = scratch(w, items, sizeof *w->extra);
    if (w->status)
        return false;
    memcpy(w->extra, root->everywhere, root->everywhere_count * sizeof *w->extra);
    w->extra_count = root->everywhere_count;
    return true;
}

static void work_heads(struct worker *w, struct cursor *cursor)
{
    const struct root *root = w->job->root;
    struct node top = {.item_count = root->item_count,
                       .item = root->item,
                       .support = root->support,
                       .data = root->data};
    if (!worker_init(w, root) || !scratch_for(w, &top))
        return;
    uint64_t begin, end;
    while (w->status == 0 && cursor_take(cursor, &begin, &end)) {
        uint32_t rank = root->heads[begin];
        struct arena_mark mark = arena_mark(&w->arena);
        struct place *places =
            scratch(w, root->start[rank + 1] - root->start[rank], sizeof *places);
        if (places)
            grow_item(w, &top, rank, places, gather_root(root, rank, places));
        arena_release(&w->arena, mark);
        if (progress_step(w->job->progress, root->cost[rank] + 1) && w->status == 0)
            w->status = ERR_CANCELLED;
    }
}

static void run_worker(void *context, uint32_t index)
{
    struct search *search = context;
    struct worker *w = &search->workers[index];
    *w = (struct worker){.job = search->job, .index = index};
    work_heads(w, &search->cursor);
    arena_deinit(&w->arena);
    if (w->status) /* the others need not go on */
        atomic_store(&search->cursor.next, search->cursor.count);
}

/* Sets of nothing but items that every basket holds. */
static int found_everywhere(const struct grow_job *job)
{
    struct itemset_group group = {.extra = job->root->everywhere,
                                  .extra_count = job->root->everywhere_count,
                                  .support = job->basket_count,
                                  .min_choice = 1,
                                  .max_choice = job->max_length};
    return group.extra_count ? job->found(job->context, 0, &group) : 0;
}

int grow_sets(const struct grow_job *job, struct error *err)
{
    assert(job->max_length >= 1 && job->max_length <= SET_LENGTH_MAX);
    assert(job->workers >= 1 && job->workers <= PARALLEL_WORKERS_MAX);
    const struct root *root = job->root;
    struct search *search;
    if (!MEM_ZNEW(search, 1))
        return error_set(err, ERR_NOMEM, "itemsets: out of memory");
    uint64_t total = root->item_count;
    for (uint32_t k = 0; k < root->item_count; k++)
        total += root->cost[k];
    progress_begin(job->progress, "mining itemsets", total);
    search->job = job;
    cursor_init(&search->cursor, root->item_count, 1);
    int status = found_everywhere(job);
    if (status == 0)
        parallel_run(job->workers, run_worker, search);
    for (uint32_t k = 0; k < job->workers; k++)
        status = status ? status : search->workers[k].status;
    free(search);
    if (status == 0)
        return 0;
    return error_set(err, status, "itemsets: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}
