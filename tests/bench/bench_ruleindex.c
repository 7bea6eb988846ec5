/* Times finding all rules whose left side a basket of 20 items holds, among a million rules:
 * bench_ruleindex [rules]. Rules and baskets are made up:
 *
 *   zipf      left sides of 1 to 4 of 100,000 items, drawn by Zipf's law, and baskets alike
 *   popular   the same rules; the basket is of the 20 most popular items
 *   near      left sides of 3 of 40 items with one of 40,000 among them; baskets of 20 of the 40:
 *             beginnings match a thousand times, no whole side ever does
 *   narrow    rules and baskets of 64 items: a third of all rules match, which is what it costs
 *
 * Every matched rule is looked at. The first baskets are held against a scan of all rules. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "mine/ruletrie.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS       100000u
#define BASKET      20u
#define LEFT_MAX    4u
#define BASKETS     20000u
#define CHECKED     20u
#define POOL_FACTOR 1.1

struct line { /* a rule while they are sorted */
    uint32_t length, items[LEFT_MAX], right;
};

static void fail(const char *why)
{
    fprintf(stderr, "bench_ruleindex: %s\n", why);
    exit(1);
}

/* Item k with a chance of about 1/(k+1): the inverse of the logarithm's integral. */
static uint32_t zipf(struct rng *r, uint32_t items)
{
    uint32_t item = (uint32_t)(exp(rng_unit(r) * log((double)items + 1)) - 1);
    return item < items ? item : items - 1;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* `count` different items, ascending. */
static void draw(struct rng *r, uint32_t items, uint32_t count, uint32_t *out)
{
    for (uint32_t k = 0; k < count;) {
        uint32_t item = zipf(r, items), x = 0;
        while (x < k && out[x] != item)
            x++;
        if (x == k)
            out[k++] = item;
    }
    qsort(out, count, sizeof *out, compare_u32);
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    for (uint32_t i = 0; i < x->length && i < y->length; i++)
        if (x->items[i] != y->items[i])
            return x->items[i] < y->items[i] ? -1 : 1;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

static void zipf_left(struct rng *r, uint32_t items, struct line *l)
{
    l->length = 1 + rng_below(r, LEFT_MAX);
    draw(r, items, l->length, l->items);
}

#define NEAR_ITEMS 40u
#define NEAR_STEP  1000u /* every such number is one of the 40 */

static void draw_near(struct rng *r, uint32_t count, uint32_t *out)
{
    uint32_t numbers[NEAR_ITEMS];
    for (uint32_t k = 0; k < NEAR_ITEMS; k++)
        numbers[k] = k * NEAR_STEP;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t x = k + rng_below(r, NEAR_ITEMS - k);
        out[k] = numbers[x];
        numbers[x] = numbers[k];
    }
    qsort(out, count, sizeof *out, compare_u32);
}

static void near_left(struct rng *r, uint32_t items, struct line *l)
{
    l->length = 4;
    draw_near(r, 3, l->items);
    l->items[3] = rng_below(r, items / NEAR_STEP) * NEAR_STEP + 1 + rng_below(r, NEAR_STEP - 1);
    qsort(l->items, 4, sizeof *l->items, compare_u32);
}

typedef void (*draw_left)(struct rng *r, uint32_t items, struct line *l);

static struct line *draw_lines(struct rng *r, draw_left left, uint32_t items, uint32_t count)
{
    struct line *lines;
    if (!MEM_NEW(lines, count))
        fail("out of memory");
    for (uint32_t k = 0; k < count; k++) {
        struct line *l = &lines[k];
        *l = (struct line){0};
        left(r, items, l);
        l->right = ITEMS + rng_below(r, ITEMS); /* never on the left: any will do */
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    return lines;
}

/* Only what the trie reads: left sides and consequents. */
static void make_rules(struct rng *r, draw_left left, uint32_t items, uint32_t wanted,
                       struct rules *out)
{
    uint32_t drawn = (uint32_t)(wanted * POOL_FACTOR), kept = 0;
    struct line *lines = draw_lines(r, left, items, drawn);
    *out = (struct rules){.basket_count = 1};
    MEM_ZNEW(out->start, (size_t)wanted + 1);
    MEM_NEW(out->antecedent, (size_t)wanted * LEFT_MAX);
    MEM_NEW(out->consequent, wanted);
    if (!out->start || !out->antecedent || !out->consequent)
        fail("out of memory");
    /* Of a few more, evenly thinned out, as some are drawn twice. */
    for (uint32_t k = 0; k < drawn && kept < wanted; k++) {
        if (k && compare_lines(&lines[k - 1], &lines[k]) == 0)
            continue;
        if ((uint64_t)kept * drawn > (uint64_t)k * wanted)
            continue;
        memcpy(out->antecedent + out->start[kept], lines[k].items,
               lines[k].length * sizeof *lines[k].items);
        out->consequent[kept] = lines[k].right;
        out->start[kept + 1] = out->start[kept] + lines[k].length;
        kept++;
    }
    out->count = kept;
    free(lines);
}

struct seen {
    const struct rules *rules;
    uint64_t matches, sum;
};

static void look(void *context, uint32_t begin, uint32_t end)
{
    struct seen *seen = context;
    for (uint32_t k = begin; k < end; k++)
        seen->sum += seen->rules->consequent[k];
    seen->matches += end - begin;
}

static uint64_t scan(const struct rules *r, const uint32_t *basket)
{
    uint64_t matches = 0;
    for (uint32_t k = 0; k < r->count; k++) {
        uint64_t e = r->start[k];
        for (uint32_t i = 0; i < BASKET && e < r->start[k + 1]; i++)
            e += basket[i] == r->antecedent[e];
        matches += e == r->start[k + 1];
    }
    return matches;
}

static void measure(const char *name, const struct rules *rules, const struct ruletrie *trie,
                    const uint32_t *baskets, uint32_t count)
{
    struct seen seen = {.rules = rules};
    for (uint32_t b = 0; b < count && b < CHECKED; b++) {
        uint64_t before = seen.matches;
        ruletrie_match(trie, baskets + (size_t)b * BASKET, BASKET, look, &seen);
        if (seen.matches - before != scan(rules, baskets + (size_t)b * BASKET))
            fail("matches differ from a scan");
    }
    seen = (struct seen){.rules = rules};
    uint64_t begin = clock_mono_ns();
    for (uint32_t b = 0; b < count; b++)
        ruletrie_match(trie, baskets + (size_t)b * BASKET, BASKET, look, &seen);
    double us = (double)(clock_mono_ns() - begin) / 1e3 / count;
    printf("%-8s %u rules, %u nodes, %.1f MiB, %.0f matches a basket (sum %llu)\n", name,
           rules->count, trie->node_count, (double)ruletrie_bytes(trie) / (1 << 20),
           (double)seen.matches / count, (unsigned long long)seen.sum);
    printf("result ruleindex_%s %.2f us\n", name, us);
}

struct index {
    struct rules rules;
    struct ruletrie trie;
    uint32_t *baskets; /* [BASKETS * BASKET], to be filled */
};

static struct index *make_index(struct rng *r, draw_left left, uint32_t items, uint32_t wanted)
{
    struct index *x;
    if (!MEM_ZNEW(x, 1) || !MEM_NEW(x->baskets, (size_t)BASKETS * BASKET))
        fail("out of memory");
    make_rules(r, left, items, wanted, &x->rules);
    if (ruletrie_build(&x->rules, ITEMS, &x->trie, NULL))
        fail("out of memory");
    return x;
}

static void free_index(struct index *x)
{
    ruletrie_deinit(&x->trie);
    rules_deinit(&x->rules);
    free(x->baskets);
    free(x);
}

int main(int argc, char **argv)
{
    uint64_t wanted = 1000000;
    uint32_t first[BASKET];
    struct rng r;
    if (argc > 1 && (!str_to_u64(str_of(argv[1]), &wanted) || wanted < 1000 || wanted > 100000000))
        fail("usage: bench_ruleindex [rules >= 1000]");
    rng_seed(&r, 1);
    for (uint32_t i = 0; i < BASKET; i++)
        first[i] = i;
    struct index *x = make_index(&r, zipf_left, ITEMS, (uint32_t)wanted);
    for (uint32_t b = 0; b < BASKETS; b++)
        draw(&r, ITEMS, BASKET, x->baskets + (size_t)b * BASKET);
    measure("zipf", &x->rules, &x->trie, x->baskets, BASKETS);
    for (uint32_t b = 0; b < BASKETS; b++)
        memcpy(x->baskets + (size_t)b * BASKET, first, sizeof first);
    measure("popular", &x->rules, &x->trie, x->baskets, BASKETS);
    free_index(x);
    x = make_index(&r, near_left, NEAR_ITEMS * NEAR_STEP, (uint32_t)wanted);
    for (uint32_t b = 0; b < BASKETS; b++)
        draw_near(&r, BASKET, x->baskets + (size_t)b * BASKET);
    measure("near", &x->rules, &x->trie, x->baskets, BASKETS);
    free_index(x);
    x = make_index(&r, zipf_left, 64, (uint32_t)wanted);
    for (uint32_t b = 0; b < BASKETS; b++)
        draw(&r, 64, BASKET, x->baskets + (size_t)b * BASKET);
    measure("narrow", &x->rules, &x->trie, x->baskets, BASKETS / 20);
    free_index(x);
    return 0;
}
