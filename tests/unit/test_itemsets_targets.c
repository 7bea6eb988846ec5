/* Closed and maximal sets, constraints, groups, shards and lanes, each against definitions applied
 * to every combination of at most twelve items. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mine/groups.h"
#include "mine/itemsets.h"
#include "support/baskets.h"
#include "support/oom.h"
#include "support/patterns.h"

#define ITEMS_MAX 12
#define MASKS     (1u << ITEMS_MAX)

/* What a search must give: supports of the wanted masks, 0 elsewhere. */
struct wanted {
    uint32_t support[MASKS];
    uint64_t count;
};

static uint32_t supports[MASKS];

static void count_all(const struct csr *baskets)
{
    memset(supports, 0, sizeof supports);
    for (uint32_t b = 0; b < baskets->rows; b++) {
        uint32_t have = 0;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1]; e++)
            have |= 1u << baskets->column[e];
        for (uint32_t mask = have; mask; mask = (mask - 1) & have)
            supports[mask]++;
    }
}

static uint32_t mask_of(const uint32_t *items, uint32_t count)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(mask >> items[i] & 1, 0);
        mask |= 1u << items[i];
    }
    return mask;
}

/* The groups, near and far, of the items in the mask. */
static uint32_t above(const uint32_t *parent, uint32_t mask)
{
    uint32_t up = 0;
    for (uint32_t i = 0; parent && i < ITEMS_MAX; i++)
        if (mask >> i & 1)
            for (uint32_t g = parent[i]; g != ITEM_NONE; g = parent[g])
                up |= 1u << g;
    return up;
}

static bool best_of_its_kind(const struct itemset_params *p, uint32_t items, uint32_t mask,
                             uint32_t out)
{
    for (uint32_t i = 0; i < items; i++) {
        uint32_t more = mask | 1u << i;
        if (more == mask || (out >> i & 1))
            continue;
        if (supports[more] >= (p->target == TARGET_CLOSED ? supports[mask] : p->min_support))
            return false;
    }
    return true;
}

/* The definitions, by brute force. For closed and maximal sets with groups: of the sets that hold
 * the groups of their items, written without those. */
static void expect(const struct itemset_params *p, uint32_t items, struct wanted *w)
{
    uint32_t with = mask_of(p->with, p->with_count), out = mask_of(p->without, p->without_count);
    memset(w, 0, sizeof *w);
    for (uint32_t mask = 1; mask < 1u << items; mask++) {
        uint32_t up = above(p->parent, mask), shown = mask;
        if (supports[mask] < p->min_support || (mask & with) != with || (mask & out))
            continue;
        if (p->target == TARGET_ALL && (mask & up))
            continue;
        if (p->target != TARGET_ALL) {
            if (!best_of_its_kind(p, items, mask, out))
                continue;
            shown = mask & ~up;
        }
        uint32_t length = (uint32_t)__builtin_popcount(shown);
        if (length < p->min_length || length > p->max_length)
            continue;
        assert_int_equal(w->support[shown], 0);
        w->support[shown] = supports[mask];
        w->count++;
    }
}

static void assert_wanted(const struct itemsets *s, const struct wanted *w)
{
    assert_int_equal(s->count, w->count);
    for (uint64_t k = 0; k < s->count; k++) {
        uint32_t mask = mask_of(s->item + s->start[k], (uint32_t)(s->start[k + 1] - s->start[k]));
        assert_int_equal(w->support[mask], s->support[k]);
    }
}

/* A visitor that writes all lanes down, in their order. */
struct lane {
    struct lane *next;
    uint32_t words[1 << 16], count; /* length, items, support, ... */
    uint32_t current[ITEMS_MAX];
    bool open;
};

struct script {
    struct lane *first;
    uint32_t open_count;
};

static void *lane_open(void *context, void *after)
{
    struct script *s = context;
    struct lane *lane = calloc(1, sizeof *lane), **link = &s->first;
    while (*link && *link != after)
        link = &(*link)->next;
    if (after)
        link = &((struct lane *)after)->next;
    lane->next = *link;
    *link = lane;
    lane->open = true;
    __atomic_add_fetch(&s->open_count, 1, __ATOMIC_SEQ_CST);
    return lane;
}

static int lane_close(void *context, void *lane)
{
    struct script *s = context;
    assert_true(((struct lane *)lane)->open);
    ((struct lane *)lane)->open = false;
    __atomic_sub_fetch(&s->open_count, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void put(struct lane *lane, uint32_t word)
{
    assert_true(lane->count < 1 << 16);
    lane->words[lane->count++] = word;
}

static int write_down(void *context, void *place, const struct itemset_group *g)
{
    struct lane *lane = place;
    (void)context;
    assert_true(lane->open);
    assert_true(g->same <= g->length);
    assert_memory_equal(lane->current, g->items, g->same * sizeof *g->items);
    memcpy(lane->current, g->items, g->length * sizeof *g->items);
    for (uint32_t choice = 0; choice < 1u << g->extra_count; choice++) {
        uint32_t chosen = (uint32_t)__builtin_popcount(choice);
        if (chosen < g->min_choice || chosen > g->max_choice)
            continue;
        put(lane, g->length + chosen);
        for (uint32_t i = 0; i < g->length; i++)
            put(lane, g->items[i]);
        for (uint32_t i = 0; i < g->extra_count; i++)
            if (choice >> i & 1)
                put(lane, g->extra[i]);
        put(lane, g->support);
    }
    return 0;
}

/* All lanes one after the other; returns the number of words. */
static uint32_t visit(const struct csr *m, const struct itemset_params *p, uint32_t *words,
                      uint32_t room)
{
    struct script script = {0};
    struct itemset_visitor v = {&script, lane_open, write_down, lane_close};
    assert_int_equal(itemsets_visit(m, p, &v, NULL), 0);
    assert_int_equal(script.open_count, 0);
    uint32_t count = 0;
    while (script.first) {
        struct lane *lane = script.first;
        script.first = lane->next;
        assert_true(count + lane->count <= room);
        memcpy(words + count, lane->words, lane->count * sizeof *words);
        count += lane->count;
        free(lane);
    }
    return count;
}

static uint32_t one_thread[1 << 18], more_threads[1 << 18];

static void assert_visited(const struct csr *m, struct itemset_params p, const struct wanted *w)
{
    static unsigned char seen[MASKS];
    uint64_t sets = 0;
    p.threads = 1;
    uint32_t words = visit(m, &p, one_thread, 1 << 18);
    memset(seen, 0, sizeof seen);
    for (uint32_t at = 0; at < words; sets++) {
        uint32_t length = one_thread[at], mask = mask_of(one_thread + at + 1, length);
        assert_int_equal(seen[mask]++, 0);
        assert_int_equal(w->support[mask], one_thread[at + 1 + length]);
        at += length + 2;
    }
    assert_int_equal(sets, w->count);
    for (p.threads = 2; p.threads <= 4; p.threads++) {
        assert_int_equal(visit(m, &p, more_threads, 1 << 18), words);
        assert_memory_equal(one_thread, more_threads, words * sizeof *one_thread);
    }
}

static void check(const struct csr *m, struct itemset_params p, bool visited)
{
    static struct wanted w;
    struct itemsets s;
    uint64_t count;
    expect(&p, m->cols, &w);
    for (p.threads = 1; p.threads <= (visited ? 2 : 1); p.threads++) {
        struct error err = ERROR_INIT;
        int rc = itemsets_mine(m, &p, &s, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(rc, 0);
        assert_wanted(&s, &w);
        itemsets_deinit(&s);
        assert_int_equal(itemsets_count(m, &p, &count, NULL), 0);
        assert_int_equal(count, w.count);
    }
    if (visited)
        assert_visited(m, p, &w);
}

static struct csr random_baskets(struct rng *r)
{
    uint32_t items = 1 + rng_below(r, ITEMS_MAX);
    return baskets_random(r, rng_below(r, 60), items, 0.1 + rng_unit(r) * 1.2);
}

static struct itemset_params random_params(struct rng *r, const struct csr *m)
{
    struct itemset_params p = {.target = rng_below(r, 3),
                               .min_support = 1 + rng_below(r, 5),
                               .min_length = 1 + (rng_below(r, 4) ? 0 : rng_below(r, 3)),
                               .max_length = UINT32_MAX};
    if (rng_below(r, 4) == 0)
        p.max_length = 1 + rng_below(r, 6);
    count_all(m);
    return p;
}

static void targets_and_lengths_equal_brute_force(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    for (int round = 0; round < 4000; round++) {
        struct csr m = random_baskets(&r);
        check(&m, random_params(&r, &m), round % 8 == 0);
        csr_deinit(&m);
    }
}

static void with_and_without_equal_brute_force(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 12);
    for (int round = 0; round < 3000; round++) {
        struct csr m = random_baskets(&r);
        struct itemset_params p = random_params(&r, &m);
        uint32_t with[ITEMS_MAX], without[ITEMS_MAX];
        for (uint32_t i = 0; i < m.cols; i++) {
            uint32_t what = rng_below(&r, 10);
            if (what == 0)
                with[p.with_count++] = i;
            else if (what <= 2)
                without[p.without_count++] = i;
        }
        p.with = with;
        p.without = without;
        check(&m, p, round % 8 == 0);
        csr_deinit(&m);
    }
}

static void groups_equal_brute_force(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 13);
    for (int round = 0; round < 3000; round++) {
        struct csr plain = random_baskets(&r), m;
        uint32_t parent[ITEMS_MAX], with[2];
        /* Higher numbers are groups of lower ones: no circles. */
        for (uint32_t i = 0; i < plain.cols; i++)
            parent[i] = i + 1 < plain.cols && rng_below(&r, 2)
                            ? i + 1 + rng_below(&r, plain.cols - i - 1)
                            : ITEM_NONE;
        assert_int_equal(groups_add(&plain, parent, plain.cols, &m, NULL), 0);
        struct itemset_params p = random_params(&r, &m);
        p.parent = parent;
        if (rng_below(&r, 4) == 0 && p.target == TARGET_ALL)
            with[p.with_count++] = rng_below(&r, m.cols);
        p.with = with;
        check(&m, p, round % 8 == 0);
        csr_deinit(&plain);
        csr_deinit(&m);
    }
}

static void shards_make_up_the_whole(void **state)
{
    (void)state;
    static uint32_t all[MASKS], part[MASKS];
    struct rng r;
    rng_seed(&r, 14);
    for (int round = 0; round < 1500; round++) {
        struct csr m = random_baskets(&r);
        struct itemset_params p = random_params(&r, &m);
        struct itemsets s;
        assert_int_equal(itemsets_mine(&m, &p, &s, NULL), 0);
        memset(all, 0, sizeof all);
        for (uint64_t k = 0; k < s.count; k++)
            all[mask_of(s.item + s.start[k], (uint32_t)(s.start[k + 1] - s.start[k]))] =
                s.support[k];
        itemsets_deinit(&s);
        memset(part, 0, sizeof part);
        p.shards = 1 + rng_below(&r, 5);
        for (p.shard = 0; p.shard < p.shards; p.shard++) {
            assert_int_equal(itemsets_mine(&m, &p, &s, NULL), 0);
            for (uint64_t k = 0; k < s.count; k++) {
                uint32_t mask =
                    mask_of(s.item + s.start[k], (uint32_t)(s.start[k + 1] - s.start[k]));
                assert_int_equal(part[mask], 0);
                part[mask] = s.support[k];
            }
            itemsets_deinit(&s);
        }
        assert_memory_equal(all, part, sizeof all);
        csr_deinit(&m);
    }
}

/* More items than a table holds and rows with a long past: against the sets of all, filtered. */
static void wide_baskets_equal_a_filter_of_all_sets(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 15);
    for (int round = 0; round < 9; round++) {
        bool sparse = round >= 6; /* closedness is told in another way there */
        struct csr m = sparse ? baskets_random(&r, 400, 100 + 20 * (uint32_t)round, 0.1)
                              : baskets_random(&r, 80, 24 + 10 * (uint32_t)round, 0.55);
        struct itemset_params p = {.min_support = sparse ? 6 : 9 + (uint32_t)round,
                                   .max_length = UINT32_MAX};
        struct itemsets all, closed, maximal;
        assert_int_equal(itemsets_mine(&m, &p, &all, NULL), 0);
        assert_false(all.raised);
        p.target = TARGET_CLOSED;
        assert_int_equal(itemsets_mine(&m, &p, &closed, NULL), 0);
        p.target = TARGET_MAXIMAL;
        assert_int_equal(itemsets_mine(&m, &p, &maximal, NULL), 0);
        unsigned char *open = calloc(all.count, 1), *inner = calloc(all.count, 1);
        uint32_t set[64];
        for (uint64_t k = 0; k < all.count; k++) {
            uint32_t length = (uint32_t)(all.start[k + 1] - all.start[k]);
            for (uint32_t skip = 0; skip < length && length > 1; skip++) {
                for (uint32_t i = 0, at = 0; i < length; i++)
                    if (i != skip)
                        set[at++] = all.item[all.start[k] + i];
                uint64_t sub = itemsets_find(&all, set, length - 1);
                inner[sub] = 1;
                open[sub] |= all.support[sub] == all.support[k];
            }
        }
        uint64_t closed_count = 0, maximal_count = 0;
        for (uint64_t k = 0; k < all.count; k++) {
            uint32_t length = (uint32_t)(all.start[k + 1] - all.start[k]);
            uint64_t c = itemsets_find(&closed, all.item + all.start[k], length);
            uint64_t x = itemsets_find(&maximal, all.item + all.start[k], length);
            assert_int_equal(c != UINT64_MAX, !open[k]);
            assert_int_equal(x != UINT64_MAX, !inner[k]);
            closed_count += !open[k];
            maximal_count += !inner[k];
        }
        assert_int_equal(closed.count, closed_count);
        assert_int_equal(maximal.count, maximal_count);
        assert_true(maximal_count > 50 && closed_count < all.count);
        itemsets_deinit(&all);
        itemsets_deinit(&closed);
        itemsets_deinit(&maximal);
        free(open);
        free(inner);
        csr_deinit(&m);
    }
}

static void bytes_are_a_budget_too(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 16);
    struct csr m = baskets_random(&r, 500, 40, 0.5);
    struct itemset_params p = {.min_support = 10, .max_bytes = 100000};
    struct itemsets some, one_more;
    uint64_t least = 0;
    for (p.threads = 1; p.threads <= 4; p.threads++) {
        assert_int_equal(itemsets_mine(&m, &p, &some, NULL), 0);
        assert_true(some.raised);
        assert_true(itemsets_bytes(&some) <= p.max_bytes);
        assert_true(least == 0 || least == some.min_support);
        least = some.min_support;
        itemsets_deinit(&some);
    }
    p.min_support = (uint32_t)least - 1;
    p.max_bytes = 0;
    assert_int_equal(itemsets_mine(&m, &p, &one_more, NULL), 0);
    assert_true(one_more.count * 32 + one_more.start[one_more.count] * 8 > 100000);
    itemsets_deinit(&one_more);
    csr_deinit(&m);
}

static void wrong_constraints_are_refused(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1|1 2", 3), out;
    uint64_t count;
    struct error err = ERROR_INIT;
    struct itemset_params p = {.with = (uint32_t[]){3}, .with_count = 1};
    assert_int_equal(itemsets_count(&m, &p, &count, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "no item 3"));
    p = (struct itemset_params){
        .with = (uint32_t[]){1}, .with_count = 1, .without = (uint32_t[]){1}, .without_count = 1};
    assert_int_equal(itemsets_count(&m, &p, &count, NULL), ERR_INVALID);
    assert_int_equal(groups_add(&m, (uint32_t[]){1, 2, 0}, 3, &out, NULL), ERR_INVALID);
    assert_int_equal(groups_add(&m, (uint32_t[]){9, ITEM_NONE, ITEM_NONE}, 3, &out, NULL),
                     ERR_INVALID);
    assert_int_equal(groups_add(&m, NULL, 2, &out, NULL), ERR_INVALID);
    csr_deinit(&m);
}

static int fail_at(void *context, void *lane, const struct itemset_group *g)
{
    (void)lane, (void)g;
    uint32_t left = __atomic_fetch_sub((uint32_t *)context + 2, 1, __ATOMIC_SEQ_CST);
    return left == 0 ? ERR_FULL : 0;
}

static void *count_open(void *context, void *after)
{
    (void)after;
    __atomic_add_fetch((uint32_t *)context, 1, __ATOMIC_SEQ_CST);
    return context;
}

static int count_close(void *context, void *lane)
{
    (void)lane;
    __atomic_add_fetch((uint32_t *)context + 1, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void a_visitor_that_fails_ends_the_search_and_closes_all_lanes(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 17);
    struct csr m = baskets_random(&r, 300, 30, 0.5);
    for (uint32_t at = 0; at < 3000; at += 1 + at / 3)
        for (uint32_t threads = 1; threads <= 4; threads++) {
            uint32_t counts[3] = {0, 0, at};
            struct itemset_visitor v = {counts, count_open, fail_at, count_close};
            struct itemset_params p = {.min_support = 5, .threads = threads};
            struct error err = ERROR_INIT;
            assert_int_equal(itemsets_visit(&m, &p, &v, &err), ERR_FULL);
            assert_int_equal(err.code, ERR_FULL);
            assert_int_equal(counts[0], counts[1]);
        }
    csr_deinit(&m);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 18);
    struct csr m = baskets_random(&r, 200, 30, 0.6), grown;
    uint32_t parent[31];
    for (uint32_t i = 0; i < 31; i++)
        parent[i] = i < 10 ? 30 : ITEM_NONE;
    for (int target = TARGET_ALL; target <= TARGET_MAXIMAL; target++)
        for (uint32_t threads = 1; threads <= 2; threads++) {
            struct itemset_params p = {
                .target = target, .min_support = 20, .threads = threads, .parent = parent};
            long failures = 0;
            OOM_LOOP
            {
                uint32_t counts[3] = {0, 0, UINT32_MAX};
                struct itemset_visitor v = {counts, count_open, fail_at, count_close};
                struct error err = ERROR_INIT;
                int rc = groups_add(&m, parent, 31, &grown, &err);
                if (rc == 0) {
                    rc = itemsets_visit(&grown, &p, &v, &err);
                    csr_deinit(&grown);
                }
                assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
                assert_int_equal(err.code, rc);
                assert_int_equal(counts[0], counts[1]);
                failures += oom_fired();
            }
            assert_true(failures > 20);
        }
    csr_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_and_lengths_equal_brute_force),
        cmocka_unit_test(with_and_without_equal_brute_force),
        cmocka_unit_test(groups_equal_brute_force),
        cmocka_unit_test(shards_make_up_the_whole),
        cmocka_unit_test(wide_baskets_equal_a_filter_of_all_sets),
        cmocka_unit_test(bytes_are_a_budget_too),
        cmocka_unit_test(wrong_constraints_are_refused),
        cmocka_unit_test(a_visitor_that_fails_ends_the_search_and_closes_all_lanes),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
