/* Random changes of orders beside a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/orders.h"
#include "store/users.h"
#include "support/orders_db.h"

#include <stdio.h>

#define IDS   1000
#define USERS 12

struct plain {
    bool there, cancelled;
    uint64_t user;
    int64_t time_ms;
    uint32_t count;
    struct order_line lines[6];
};

struct plain_shop {
    struct plain order[IDS];
    uint64_t key_of_user[USERS];
    uint64_t changes;
};

static struct plain random_order(const struct plain_shop *shop, struct rng *rng)
{
    struct plain p = {.there = true,
                      .user = shop->key_of_user[rng_below(rng, USERS)],
                      .time_ms = 1000 + rng_below(rng, 5000),
                      .count = 1 + rng_below(rng, 3)};
    uint32_t item = 0;
    for (uint32_t i = 0; i < p.count; i++) {
        item += 1 + rng_below(rng, 3);
        p.lines[i] = (struct order_line){item, 1 + rng_below(rng, 2),
                                         rng_below(rng, 3) ? 100 : ORDER_NO_PRICE};
    }
    return p;
}

static bool plain_equal(const struct plain *a, const struct plain *b)
{
    if (a->user != b->user || a->time_ms != b->time_ms || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->lines[i].item != b->lines[i].item || a->lines[i].quantity != b->lines[i].quantity ||
            a->lines[i].price_minor != b->lines[i].price_minor)
            return false;
    return true;
}

static const char *id_text(uint32_t id, char out[16])
{
    snprintf(out, 16, "order-%u", id);
    return out;
}

static void random_put(struct plain_shop *shop, struct rng *rng)
{
    char text[16];
    uint32_t id = rng_below(rng, IDS);
    struct plain *old = &shop->order[id];
    struct plain p =
        old->there && !old->cancelled && rng_below(rng, 2) ? *old : random_order(shop, rng);
    enum put_outcome expected = !old->there            ? PUT_ACCEPTED
                                : old->cancelled       ? PUT_CANCELLED
                                : plain_equal(old, &p) ? PUT_DUPLICATE
                                                       : PUT_REPLACED;
    assert_int_equal(put(id_text(id, text), p.user, p.time_ms, p.lines, p.count), expected);
    if (expected == PUT_ACCEPTED || expected == PUT_REPLACED) {
        *old = p;
        shop->changes++;
    }
}

static void random_cancel(struct plain_shop *shop, struct rng *rng)
{
    char text[16];
    uint32_t id = rng_below(rng, IDS);
    int64_t now_ms = 1000 + rng_below(rng, 5000);
    struct plain *old = &shop->order[id];
    assert_int_equal(cancel(id_text(id, text), now_ms),
                     old->cancelled ? PUT_DUPLICATE : PUT_ACCEPTED);
    if (!old->there)
        *old = (struct plain){.there = true, .time_ms = now_ms};
    shop->changes += !old->cancelled;
    old->cancelled = true;
}

static uint64_t key_of(const char *name, bool add)
{
    uint64_t key;
    assert_int_equal(users_key(db, str_of(name), add, &key, NULL), 0);
    return key;
}

static void random_erase(struct plain_shop *shop, struct rng *rng)
{
    uint32_t user = 1 + rng_below(rng, USERS - 1), orders = 0;
    bool delete_orders = rng_below(rng, 2);
    uint64_t key = shop->key_of_user[user];
    for (uint32_t i = 0; i < IDS; i++) {
        struct plain *p = &shop->order[i];
        if (!p->there || p->user != key)
            continue;
        orders++;
        p->user = 0;
        p->there = !delete_orders;
        p->cancelled = p->cancelled && p->there;
    }
    char name[16];
    snprintf(name, sizeof name, "user-%u", user);
    struct user_stats erased;
    assert_int_equal(users_erase(db, key, delete_orders, &erased, NULL), 0);
    assert_int_equal(erased.orders, orders);
    assert_int_equal(key_of(name, false), 0);
    shop->key_of_user[user] = key_of(name, true);
}

static void random_expire(struct plain_shop *shop, struct rng *rng)
{
    int64_t before_ms = 1000 + rng_below(rng, 400);
    uint32_t deleted, expected = 0;
    for (uint32_t i = 0; i < IDS; i++) {
        struct plain *p = &shop->order[i];
        if (!p->there || p->time_ms >= before_ms)
            continue;
        *p = (struct plain){0};
        expected++;
    }
    assert_int_equal(orders_expire(db, before_ms, 100000, &deleted, NULL), 0);
    assert_int_equal(deleted, expected);
}

struct compare {
    const struct plain_shop *shop;
    uint32_t seen;
};

static int compare_order(void *context, const struct order_row *row, struct error *err)
{
    (void)err;
    struct compare *c = context;
    uint64_t id;
    assert_true(str_to_u64((struct str){row->order_id.ptr + 6, row->order_id.len - 6}, &id));
    const struct plain *p = &c->shop->order[id];
    assert_true(p->there && !p->cancelled);
    assert_int_equal(row->user, p->user);
    assert_int_equal(row->time_ms, p->time_ms);
    assert_int_equal(row->line_count, p->count);
    for (uint32_t i = 0; i < p->count; i++) {
        assert_int_equal(row->lines[i].item, p->lines[i].item);
        assert_true(row->lines[i].price_minor == p->lines[i].price_minor);
    }
    c->seen++;
    return 0;
}

static void compare_all(const struct plain_shop *shop)
{
    struct compare c = {.shop = shop};
    struct order_stats expected = {.changes = shop->changes};
    for (uint32_t i = 0; i < IDS; i++) {
        const struct plain *p = &shop->order[i];
        expected.cancelled += p->cancelled;
        if (!p->there || p->cancelled)
            continue;
        if (expected.orders == 0 || p->time_ms < expected.first_ms)
            expected.first_ms = p->time_ms;
        if (expected.orders == 0 || p->time_ms > expected.last_ms)
            expected.last_ms = p->time_ms;
        expected.orders++;
        expected.lines += p->count;
    }
    uint64_t damaged;
    assert_int_equal(orders_scan(db, compare_order, &c, NULL, &damaged, NULL), 0);
    assert_int_equal(damaged, 0);
    assert_int_equal(c.seen, expected.orders);
    struct order_stats s = stats();
    assert_int_equal(s.orders, expected.orders);
    assert_int_equal(s.cancelled, expected.cancelled);
    assert_int_equal(s.lines, expected.lines);
    assert_int_equal(s.first_ms, expected.first_ms);
    assert_int_equal(s.last_ms, expected.last_ms);
    assert_int_equal(s.changes, expected.changes);
}

static void random_change(struct plain_shop *shop, struct rng *rng)
{
    uint32_t what = rng_below(rng, 200);
    if (what < 186)
        random_put(shop, rng);
    else if (what < 196)
        random_cancel(shop, rng);
    else if (what < 198)
        random_erase(shop, rng);
    else
        random_expire(shop, rng);
}

/* 400 transactions of up to 60 changes, with savepoints undone and transactions rolled back. */
static void random_changes_equal_a_plain_model(void **state)
{
    (void)state;
    static struct plain_shop shop, before, at_savepoint;
    struct rng rng;
    rng_seed(&rng, 2026);
    begin();
    for (uint32_t u = 1; u < USERS; u++) {
        char name[16];
        snprintf(name, sizeof name, "user-%u", u);
        shop.key_of_user[u] = key_of(name, true);
    }
    commit();
    for (int round = 0; round < 400; round++) {
        before = shop;
        begin();
        for (uint32_t request = 0; request < 6; request++) {
            at_savepoint = shop;
            assert_int_equal(db_savepoint(db, NULL), 0);
            for (uint32_t n = rng_below(&rng, 11); n > 0; n--)
                random_change(&shop, &rng);
            if (rng_below(&rng, 6) == 0) {
                db_undo(db);
                shop = at_savepoint;
            } else {
                assert_int_equal(db_release(db, NULL), 0);
            }
        }
        if (round % 10 == 0)
            compare_all(&shop); /* inside of the transaction, too */
        if (rng_below(&rng, 8) == 0) {
            db_rollback(db);
            shop = before;
        } else {
            commit();
        }
        if (round % 20 == 0) {
            compare_all(&shop);
            orders_db_reopen();
            compare_all(&shop);
        }
    }
    compare_all(&shop);
    assert_int_equal(db_check(db, true, NULL), 0);
    assert_true(shop.changes > 4000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(random_changes_equal_a_plain_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
