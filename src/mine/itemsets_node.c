/* How a node is made of what the survivors leave of the rows at some places: items renumbered in
 * the order of their supports there, rows sorted by the new numbers, equal ones merged with their
 * weights added. Rows of one item and no past add to no sum and are left out, except where baskets
 * are told apart to see what they share: there each row stays itself. */
#include "itemsets_search.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Fewer rows are not worth looking for equal ones. */
#define MERGE_ROWS 6
/* After so many different rows with next to no equal ones, no more are looked for. */
#define TRIED_ROWS 64
/* Up to this length insertion sort is faster than going through a bitmap. */
#define INSERTION_MAX 24
#define NARROW_WORDS  8
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

/* The row whose mask is the same where `key` has bits; else the mask is entered as row `next`. */
static uint32_t find_mask(struct merger *m, const uint64_t *masks, uint64_t mask, uint64_t key,
                          uint32_t next)
{
    uint32_t slot = (uint32_t)((mask & key) * 0x9E3779B97F4A7C15u >> 32) & m->mask;
    for (; m->slots[slot]; slot = (slot + 1) & m->mask)
        if (((masks[m->slots[slot] - 1] ^ mask) & key) == 0)
            return m->slots[slot] - 1;
    m->slots[slot] = next + 1;
    return next;
}

/* A node of at most 64 items: rows are words with a bit for each item, so that they need no sorting
 * and are compared and merged as numbers; they are written out at the end. */
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
        uint32_t same = merger.slots ? find_mask(&merger, masks, mask, key, count) : count;
        masks[same] = same < count ? masks[same] & (mask | key) : mask;
        if (same < count)
            child->rows[same].weight += places[i].weight;
        else
            child->rows[count++] =
                (struct row){.weight = places[i].weight, .basket = places[i].basket};
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

/* Gives the survivors and the past their new numbers, or takes them back. */
static void number_items(struct worker *w, uint32_t past, uint32_t total, bool give)
{
    for (uint32_t k = 0; k < total; k++) {
        uint32_t local = k < past ? w->past[k] : w->survivors[k - past].local;
        w->number[local] = give ? k + 1 : 0;
        w->bit[local] = give ? 1ULL << (k & 63) : 0;
    }
}

bool node_build(struct worker *w, struct node *child, const struct node *parent,
                const struct place *places, uint32_t place_count, uint64_t steps)
{
    uint32_t past = w->keeps_past ? w->past_count : 0, total = past + w->survivor_count;
    *child = (struct node){.item_count = total,
                           .past_count = past,
                           .next = past,
                           .end = total,
                           .length = w->length,
                           .extra_count = w->extra_count};
    uint32_t *item = scratch(w, total, sizeof *item);
    uint32_t *support = scratch(w, total, sizeof *support);
    child->data = scratch(w, steps + place_count + 2, sizeof *child->data);
    child->rows = scratch(w, place_count, sizeof *child->rows);
    child->list = scratch(w, total, sizeof *child->list);
    if (w->status)
        return false;
    sort_survivors(w->survivors, w->survivor_count);
    for (uint32_t k = 0; k < total; k++) {
        item[k] = parent->item[k < past ? w->past[k] : w->survivors[k - past].local];
        support[k] = k < past ? 0 : w->survivors[k - past].support;
        child->list[k] = NO_ROW;
    }
    child->item = item;
    child->support = support;
    number_items(w, past, total, true);
    struct arena_mark mark = arena_mark(&w->arena); /* what filling needs is not needed below */
    bool filled = total <= 64 && past < 64 ? fill_narrow(w, child, parent, places, place_count)
                                           : fill_wide(w, child, parent, places, place_count);
    arena_release(&w->arena, mark);
    number_items(w, past, total, false);
    return filled;
}
