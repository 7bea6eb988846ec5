#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "engine/fresh.h"
#include "support/oom.h"
#include "support/question.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define SLOTS  120 /* of the shop's items and of ones it does not know */
#define ORDERS 400

static struct tinyshop shop;

static int setup(void **state)
{
    (void)state;
    bundle_shop(&shop);
    shop.m->newest_order = 100;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tinyshop_free(&shop);
    return 0;
}

static struct fresh *overlay(const struct fresh_limits *limits)
{
    struct error err = ERROR_INIT;
    struct fresh *f = fresh_new(shop.m, limits, &err);
    assert_non_null(f);
    return f;
}

static void put(struct fresh *f, uint64_t key, int64_t time_ms, const uint32_t *slots,
                uint32_t count)
{
    assert_int_equal(fresh_put(f, key, time_ms, slots, count, NULL), 0);
}

static uint32_t slot_of(const char *name)
{
    return catalog_find(&shop.c, str_of(name));
}

static int64_t now_ms(void)
{
    return shop.m->popularity.now_ms;
}

/* The orders as they were last put, counted in full for each comparison. */
struct plain_order {
    bool there;
    int64_t time_ms;
    uint32_t count, slots[8];
};

struct plain {
    struct plain_order orders[ORDERS]; /* key 101 + index */
    uint32_t all[SLOTS], in_28d[SLOTS], both[SLOTS][SLOTS];
    uint32_t order_count, pair_count, line_count;
};

static void recount(struct plain *p)
{
    memset(p->all, 0, sizeof p->all);
    memset(p->in_28d, 0, sizeof p->in_28d);
    memset(p->both, 0, sizeof p->both);
    p->order_count = p->pair_count = p->line_count = 0;
    for (uint32_t o = 0; o < ORDERS; o++) {
        const struct plain_order *order = &p->orders[o];
        if (!order->there)
            continue;
        p->order_count++;
        p->line_count += order->count;
        for (uint32_t i = 0; i < order->count; i++) {
            p->all[order->slots[i]]++;
            p->in_28d[order->slots[i]] += now_ms() - order->time_ms < 28 * DAY_MS;
            for (uint32_t j = 0; j < order->count; j++)
                if (j != i)
                    p->pair_count += p->both[order->slots[i]][order->slots[j]]++ == 0;
        }
    }
    p->pair_count /= 2;
}

static void compare_partners(const struct fresh *f, const struct plain *p, uint32_t x)
{
    const struct fresh_item *item = &f->items[x];
    uint32_t want = 0;
    for (uint32_t slot = 1; slot < SLOTS; slot++) {
        uint32_t both = p->both[item->slot][slot];
        bool known = item->item != DICT_NONE && model_item_of_slot(shop.m, slot) != DICT_NONE;
        want += both >= (known ? FRESH_MIN_BOTH : 1);
    }
    if (want <= FRESH_PARTNERS && want > item->partner_count)
        assert_true(item->partner_count > 0); /* an overfull list lost some and shrank since */
    for (uint32_t n = 0; n < item->partner_count; n++) {
        const struct fresh_partner *partner = &item->partners[n];
        assert_int_equal(partner->both, p->both[item->slot][f->items[partner->other].slot]);
        assert_true(partner->both > 0);
        for (uint32_t k = 0; k < n; k++)
            assert_true(item->partners[k].other != partner->other);
    }
}

static bool more(const struct fresh *f, uint32_t a, uint32_t b)
{
    const struct fresh_item *x = &f->items[a], *y = &f->items[b];
    if (x->trained_28d + x->orders_28d != y->trained_28d + y->orders_28d)
        return x->trained_28d + x->orders_28d > y->trained_28d + y->orders_28d;
    return x->trained + x->orders >= y->trained + y->orders;
}

static void compare(const struct fresh *f, struct plain *p)
{
    recount(p);
    assert_int_equal(f->order_count, p->order_count);
    assert_int_equal(f->line_count, p->line_count);
    assert_int_equal(f->pair_count, p->pair_count);
    for (uint32_t slot = 1; slot < SLOTS; slot++) {
        uint32_t x = fresh_find(f, slot);
        if (x == FRESH_NONE) {
            assert_int_equal(p->all[slot], 0);
            continue;
        }
        assert_int_equal(f->items[x].slot, slot);
        assert_int_equal(f->items[x].item, model_item_of_slot(shop.m, slot));
        assert_int_equal(f->items[x].orders, p->all[slot]);
        assert_int_equal(f->items[x].orders_28d, p->in_28d[slot]);
        compare_partners(f, p, x);
        for (uint32_t other = 1; other < SLOTS; other++)
            if (fresh_find(f, other) != FRESH_NONE)
                assert_int_equal(fresh_both(f, x, fresh_find(f, other)), p->both[slot][other]);
    }
    uint32_t walked = 0;
    for (uint32_t x = fresh_first(f), last = FRESH_NONE; x != FRESH_NONE; x = fresh_next(f, x)) {
        assert_true(last == FRESH_NONE || more(f, last, x));
        last = x;
        walked++;
    }
    assert_int_equal(walked, f->item_count);
}

/* One change at random, the same to both. */
static void change(struct fresh *f, struct plain *p, struct rng *r, uint32_t keys, uint32_t slots)
{
    uint32_t o = rng_below(r, keys);
    struct plain_order *order = &p->orders[o];
    if (rng_below(r, 4) == 0) {
        fresh_remove(f, 101 + o);
        order->there = false;
        return;
    }
    *order = (struct plain_order){.there = true,
                                  .time_ms = now_ms() + ((int64_t)rng_below(r, 60) - 40) * DAY_MS};
    while (order->count < 2 + rng_below(r, 4)) {
        uint32_t slot = 1 + rng_below(r, slots - 1);
        bool had = false;
        for (uint32_t i = 0; i < order->count; i++)
            had |= order->slots[i] == slot;
        if (!had)
            order->slots[order->count++] = slot;
    }
    put(f, 101 + o, order->time_ms, order->slots, order->count);
}

static void random_changes_leave_what_a_recount_gives(void **state)
{
    static struct plain p;
    static const uint32_t slots[] = {12, 40, SLOTS};
    struct rng r;
    (void)state;
    rng_seed(&r, 4);
    for (int round = 0; round < 3; round++) {
        struct fresh *f = overlay(NULL);
        memset(&p, 0, sizeof p);
        for (uint32_t step = 0; step < 1500; step++) {
            change(f, &p, &r, ORDERS, slots[round]);
            if (step % 30 == 0)
                compare(f, &p);
        }
        compare(f, &p);
        for (uint32_t o = 0; o < ORDERS; o++) {
            fresh_remove(f, 101 + o);
            p.orders[o].there = false;
        }
        compare(f, &p);
        assert_int_equal(f->pair_count + f->order_count + f->line_count, 0);
        for (uint32_t x = 0; x < f->item_count; x++)
            assert_int_equal(f->items[x].partner_count, 0);
        fresh_free(f);
    }
}

static void partners_are_all_pairs_bought_together_often_enough(void **state)
{
    static struct plain p;
    struct rng r;
    (void)state;
    rng_seed(&r, 8);
    memset(&p, 0, sizeof p);
    struct fresh *f = overlay(NULL);
    for (uint32_t step = 0; step < 300; step++) {
        change(f, &p, &r, 60, 30); /* fewer items than a list has room for */
        recount(&p);
        for (uint32_t x = 0; x < f->item_count; x++) {
            uint32_t want = 0;
            for (uint32_t y = 0; y < f->item_count; y++) {
                bool known = f->items[x].item != DICT_NONE && f->items[y].item != DICT_NONE;
                want += p.both[f->items[x].slot][f->items[y].slot] >=
                        (known ? (uint32_t)FRESH_MIN_BOTH : 1);
            }
            assert_int_equal(f->items[x].partner_count, want);
        }
    }
    fresh_free(f);
}

static void orders_the_model_saw_and_absurd_ones_are_left_out(void **state)
{
    static const struct fresh_limits limits = {.max_order_items = 3};
    const uint32_t four[] = {1, 2, 3, 4};
    (void)state;
    struct fresh *f = overlay(&limits);
    put(f, 100, now_ms(), four, 2);
    put(f, 101, now_ms(), four, 4);
    assert_int_equal(f->order_count, 0);
    put(f, 102, now_ms(), four, 3);
    assert_int_equal(f->order_count, 1);
    put(f, 102, now_ms(), four, 4); /* grew beyond it */
    assert_int_equal(f->order_count + f->pair_count, 0);
    fresh_remove(f, 7);
    fresh_remove(f, 700);
    fresh_free(f);
}

static void the_oldest_orders_make_room(void **state)
{
    static const struct fresh_limits by_orders = {.orders = 10, .pairs = 1000},
                                     by_lines = {.lines = 21, .pairs = 1000},
                                     by_pairs = {.pairs = 30};
    const struct fresh_limits *all[] = {&by_orders, &by_lines, &by_pairs};
    (void)state;
    for (int x = 0; x < 3; x++) {
        struct fresh *f = overlay(all[x]);
        for (uint32_t o = 0; o < 20000; o++) {
            const uint32_t slots[] = {1 + o % 90, 1 + (o + 1) % 90, 1 + (o + 7) % 90};
            put(f, 101 + o, now_ms(), slots, 3);
            assert_true(f->order_count <= f->limits.orders && f->line_count <= f->limits.lines &&
                        f->pair_count <= f->limits.pairs);
        }
        assert_true(f->order_count >= 7);
        assert_int_equal(f->dropped + f->order_count, 20000);
        assert_true(fresh_bytes(f) < 1 << 20);
        const uint32_t again[] = {3, 4};
        put(f, 101, now_ms(), again, 2); /* too old to come back */
        assert_int_equal(f->dropped + f->order_count, 20000);
        fresh_free(f);
    }
}

/* Behind one that stays, so that nothing is ever gone at the front. */
static void orders_that_are_cancelled_take_no_memory(void **state)
{
    const uint32_t slots[] = {1, 2, 3};
    (void)state;
    struct fresh *f = overlay(NULL);
    put(f, 101, now_ms(), slots, 3);
    size_t bytes = fresh_bytes(f);
    for (uint64_t key = 102; key < 100000; key++) {
        put(f, key, now_ms(), slots, 3);
        if (key % 1000)
            fresh_remove(f, key);
    }
    assert_true(fresh_bytes(f) < bytes + (1 << 19));
    assert_int_equal(f->order_count, 100);
    fresh_remove(f, 50000);
    fresh_remove(f, 101);
    put(f, 60000, now_ms(), slots, 2); /* changed */
    assert_int_equal(f->order_count, 98);
    assert_int_equal(fresh_both(f, fresh_find(f, 1), fresh_find(f, 2)), 98);
    assert_int_equal(fresh_both(f, fresh_find(f, 1), fresh_find(f, 3)), 97);
    fresh_free(f);
}

static void an_order_of_very_many_items_counts_without_its_pairs(void **state)
{
    uint32_t slots[FRESH_PAIR_ITEMS + 1];
    (void)state;
    for (uint32_t x = 0; x <= FRESH_PAIR_ITEMS; x++)
        slots[x] = x + 1;
    struct fresh *f = overlay(NULL);
    put(f, 101, now_ms(), slots, FRESH_PAIR_ITEMS + 1);
    assert_int_equal(f->items[5].orders, 1);
    assert_int_equal(f->pair_count, 0);
    put(f, 101, now_ms(), slots, FRESH_PAIR_ITEMS);
    assert_int_equal(f->pair_count, FRESH_PAIR_ITEMS * (FRESH_PAIR_ITEMS - 1) / 2);
    fresh_remove(f, 101);
    assert_int_equal(f->pair_count, 0);
    fresh_free(f);
}

static void a_full_list_keeps_the_partners_that_tell_the_most(void **state)
{
    (void)state;
    struct fresh *f = overlay(NULL);
    uint64_t key = 101;
    for (uint32_t other = 0; other < FRESH_PARTNERS + 8; other++) {
        const uint32_t pair[] = {200, 300 + other};
        for (uint32_t n = 0; n <= other % 5; n++) /* bought only with 200, one to five times */
            put(f, key++, now_ms(), pair, 2);
    }
    const struct fresh_item *item = &f->items[fresh_find(f, 200)];
    assert_int_equal(item->partner_count, FRESH_PARTNERS);
    for (uint32_t n = 0; n < item->partner_count; n++)
        assert_true(item->partners[n].both > 1); /* the eight left out are among those with one */
    fresh_free(f);
}

static void the_weight_is_what_the_cosine_gains(void **state)
{
    const uint32_t ab[] = {slot_of("a"), slot_of("b")}, an[] = {slot_of("a"), 500};
    (void)state;
    struct fresh *f = overlay(NULL);
    for (uint32_t o = 0; o < 3; o++)
        put(f, 101 + o, now_ms(), ab, 2);
    put(f, 110, now_ms(), an, 2);
    const struct fresh_item *a = &f->items[fresh_find(f, ab[0])];
    double shrunk[] = {5.0 / 7, 8.0 / 10, 1.0 / 3};
    /* a: 6 orders and 4 fresh ones, b: 5 and 3, both: 5 and 3 */
    double gain = 8 / sqrt(10.0 * 8) * shrunk[1] - 5 / sqrt(6.0 * 5) * shrunk[0];
    for (uint32_t n = 0; n < a->partner_count; n++) {
        const struct fresh_partner *p = &a->partners[n];
        bool is_b = f->items[p->other].slot == ab[1];
        double want = is_b ? gain : 1 / sqrt(10.0) * shrunk[2];
        assert_int_equal(p->trained, is_b ? 5 : 0);
        assert_true(fabs((double)fresh_gain(f, a, p) - fmax(want, 0)) < 1e-6);
    }
    assert_int_equal(a->partner_count, 2);
    fresh_free(f);
}

static void old_orders_expire_and_clearing_leaves_it_as_new(void **state)
{
    const uint32_t ab[] = {1, 2}, bc[] = {2, 3};
    (void)state;
    struct fresh *f = overlay(NULL);
    put(f, 101, now_ms() - 50 * DAY_MS, ab, 2);
    put(f, 102, now_ms(), bc, 2);
    assert_int_equal(f->items[fresh_find(f, 1)].orders_28d, 0);
    fresh_expire(f, now_ms() - DAY_MS);
    assert_int_equal(f->order_count, 1);
    assert_int_equal(f->items[fresh_find(f, 1)].orders, 0);
    fresh_clear(f);
    assert_int_equal(f->order_count + f->item_count + f->pair_count, 0);
    put(f, 101, now_ms(), ab, 2);
    assert_int_equal(f->order_count, 1);
    fresh_free(f);
}

static void out_of_memory_is_told_and_clearing_makes_it_good(void **state)
{
    const uint32_t abc[] = {1, 2, 3}, bcd[] = {2, 3, 900};
    (void)state;
    bool fired = true;
    for (long n = 1; fired; n++) {
        oom_fail_at(n);
        struct fresh *f = fresh_new(shop.m, NULL, NULL);
        int rc = f ? fresh_put(f, 101, 0, abc, 3, NULL) : ERR_NOMEM;
        if (rc == 0)
            rc = fresh_put(f, 102, 0, bcd, 3, NULL);
        fired = oom_fired();
        oom_disarm();
        assert_int_equal(rc, fired ? ERR_NOMEM : 0);
        if (!f)
            continue;
        if (fired) {
            fresh_clear(f);
            put(f, 101, 0, abc, 3);
            put(f, 102, 0, bcd, 3);
        }
        assert_int_equal(f->order_count, 2);
        assert_int_equal(fresh_both(f, fresh_find(f, 2), fresh_find(f, 3)), 2);
        fresh_free(f);
    }
}

struct traffic {
    struct fresh *f;
    pthread_rwlock_t lock;
    bool stop;
};

static void *read_on(void *context)
{
    struct traffic *t = context;
    for (bool stop = false; !stop;) {
        pthread_rwlock_rdlock(&t->lock);
        uint64_t orders = 0;
        for (uint32_t x = fresh_first(t->f); x != FRESH_NONE; x = fresh_next(t->f, x))
            orders += t->f->items[x].orders;
        assert_int_equal(orders, t->f->line_count);
        stop = t->stop;
        pthread_rwlock_unlock(&t->lock);
    }
    return NULL;
}

static void readers_see_sound_counts_while_one_writes(void **state)
{
    struct traffic t = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    pthread_t readers[2];
    struct rng r;
    (void)state;
    rng_seed(&r, 6);
    t.f = overlay(NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &t), 0);
    for (uint32_t o = 0; o < 2000; o++) {
        const uint32_t slots[] = {1 + rng_below(&r, 50), 60 + rng_below(&r, 50)};
        pthread_rwlock_wrlock(&t.lock);
        put(t.f, 101 + rng_below(&r, 300), now_ms(), slots, 2);
        pthread_rwlock_unlock(&t.lock);
    }
    pthread_rwlock_wrlock(&t.lock);
    t.stop = true;
    pthread_rwlock_unlock(&t.lock);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    fresh_free(t.f);
    pthread_rwlock_destroy(&t.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_leave_what_a_recount_gives),
        cmocka_unit_test(partners_are_all_pairs_bought_together_often_enough),
        cmocka_unit_test(orders_the_model_saw_and_absurd_ones_are_left_out),
        cmocka_unit_test(the_oldest_orders_make_room),
        cmocka_unit_test(orders_that_are_cancelled_take_no_memory),
        cmocka_unit_test(an_order_of_very_many_items_counts_without_its_pairs),
        cmocka_unit_test(a_full_list_keeps_the_partners_that_tell_the_most),
        cmocka_unit_test(the_weight_is_what_the_cosine_gains),
        cmocka_unit_test(old_orders_expire_and_clearing_leaves_it_as_new),
        cmocka_unit_test(out_of_memory_is_told_and_clearing_makes_it_good),
        cmocka_unit_test(readers_see_sound_counts_while_one_writes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
