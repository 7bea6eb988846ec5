#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/rng.h"
#include "data/shoppers.h"
#include "support/oom.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS  7
#define ORDERS 400

static void put(struct shoppers *s, uint64_t user, uint64_t order, int64_t time_s,
                const uint32_t *slots, uint32_t count)
{
    struct error err = ERROR_INIT;
    assert_int_equal(shoppers_put_order(s, user, order, time_s * 1000, slots, count, &err), 0);
}

static void know(struct shoppers *s, uint64_t user, const char *id)
{
    assert_int_equal(shoppers_know(s, user, str_of(id), NULL), 0);
}

static void lines_stand_by_time_whatever_order_they_come_in(void **state)
{
    static const uint32_t ab[] = {1, 2}, c[] = {3};
    struct shoppers s;
    (void)state;
    shoppers_init(&s);
    know(&s, 1, "ann");
    put(&s, 1, 11, 200, c, 1);
    put(&s, 1, 12, 100, ab, 2);
    const struct shopper *ann = shoppers_find(&s, STR("ann"));
    static const struct purchase want[] = {{1, 100, 12}, {2, 100, 12}, {3, 200, 11}};
    assert_int_equal(ann->line_count, 3);
    assert_memory_equal(ann->lines, want, sizeof want);
    put(&s, 1, 12, 300, c, 1); /* replaced */
    static const struct purchase now[] = {{3, 200, 11}, {3, 300, 12}};
    assert_int_equal(ann->line_count, 2);
    assert_memory_equal(ann->lines, now, sizeof now);
    assert_int_equal(s.line_count, 2);
    shoppers_deinit(&s);
}

static void the_oldest_lines_and_events_make_room(void **state)
{
    uint32_t slots[LIMIT_HISTORY_LINES + 5];
    struct shoppers s;
    (void)state;
    for (uint32_t i = 0; i < LIMIT_HISTORY_LINES + 5; i++)
        slots[i] = i + 1;
    shoppers_init(&s);
    know(&s, 3, "cy");
    put(&s, 3, 1, 500, slots, LIMIT_HISTORY_LINES + 5);
    const struct shopper *cy = shoppers_find(&s, STR("cy"));
    assert_int_equal(cy->line_count, LIMIT_HISTORY_LINES);
    assert_int_equal(cy->lines[0].slot, 6);
    put(&s, 3, 2, 499, slots, 1); /* older than all that is there */
    assert_int_equal(cy->lines[0].slot, 6);
    put(&s, 3, 3, 501, slots, 1);
    assert_int_equal(cy->lines[0].slot, 7);
    assert_int_equal(cy->lines[LIMIT_HISTORY_LINES - 1].slot, 1);
    for (uint32_t i = 0; i < LIMIT_HISTORY_EVENTS + 3; i++) {
        struct click click = {i, 100 + i, 0};
        assert_int_equal(shoppers_put_event(&s, 3, &click, NULL), 0);
    }
    assert_int_equal(cy->event_count, LIMIT_HISTORY_EVENTS);
    assert_int_equal(cy->events[0].slot, 3);
    assert_int_equal(s.line_count, LIMIT_HISTORY_LINES);
    assert_int_equal(s.event_count, LIMIT_HISTORY_EVENTS);
    shoppers_deinit(&s);
}

static void forgetting_leaves_nothing_and_the_id_may_come_back(void **state)
{
    static const uint32_t a[] = {1};
    struct shoppers s;
    struct click view = {1, 5, 0};
    (void)state;
    shoppers_init(&s);
    know(&s, 1, "ann");
    put(&s, 1, 1, 10, a, 1);
    assert_int_equal(shoppers_put_event(&s, 1, &view, NULL), 0);
    shoppers_forget(&s, STR("ann"));
    shoppers_forget(&s, STR("nobody"));
    assert_null(shoppers_find(&s, STR("ann")));
    assert_int_equal(shoppers_count(&s), 0);
    assert_int_equal(s.line_count + s.event_count + s.list_bytes, 0);
    know(&s, 1, "ben"); /* the store may give a freed key again */
    assert_int_equal(shoppers_find(&s, STR("ben"))->line_count, 0);
    shoppers_deinit(&s);
}

static void nobody_and_absurd_keys_are_left_out(void **state)
{
    static const uint32_t a[] = {1};
    struct shoppers s;
    struct click view = {1, 5, 0};
    (void)state;
    shoppers_init(&s);
    put(&s, 0, 1, 10, a, 1);
    put(&s, UINT64_C(1) << 40, 1, 10, a, 1);
    know(&s, 0, "x");
    know(&s, UINT64_C(1) << 40, "y");
    assert_int_equal(shoppers_put_event(&s, 0, &view, NULL), 0);
    shoppers_remove_order(&s, 0, 1);
    shoppers_remove_order(&s, 99, 1);
    assert_int_equal(shoppers_count(&s) + s.line_count + s.event_count + s.cap, 0);
    assert_int_equal(history_time_s(-5000), 0);
    assert_int_equal(history_time_s(INT64_MAX), UINT32_MAX);
    shoppers_deinit(&s);
}

static void old_lines_expire(void **state)
{
    static const uint32_t a[] = {1}, b[] = {2};
    struct shoppers s;
    struct click early = {1, 5, 0}, late = {1, 50, 0};
    (void)state;
    shoppers_init(&s);
    know(&s, 2, "ann");
    put(&s, 2, 1, 10, a, 1);
    put(&s, 2, 2, 20, b, 1);
    assert_int_equal(shoppers_put_event(&s, 2, &early, NULL), 0);
    assert_int_equal(shoppers_put_event(&s, 2, &late, NULL), 0);
    shoppers_expire(&s, 0, 1, 1000000);
    const struct shopper *ann = shoppers_find(&s, STR("ann"));
    assert_int_equal(ann->line_count, 2);
    shoppers_expire(&s, 1, 1000, 20000);
    assert_int_equal(ann->line_count, 1);
    assert_int_equal(ann->lines[0].slot, 2);
    assert_int_equal(ann->event_count, 1);
    assert_int_equal(ann->events[0].time_s, 50);
    assert_int_equal(s.line_count + s.event_count, 2);
    shoppers_deinit(&s);
}

/* Every order as it was last put, gone over in full for each comparison. */
struct plain_order {
    uint64_t user; /* 0: not there */
    uint32_t time_s, count, slots[6];
};

static int by_time(const void *a, const void *b)
{
    const struct purchase *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static void compare(const struct shoppers *s, const struct plain_order *orders)
{
    static struct purchase want[ORDERS * 6];
    for (uint64_t user = 1; user <= USERS; user++) {
        char id[8];
        uint32_t count = 0;
        snprintf(id, sizeof id, "u%u", (unsigned)user);
        for (uint32_t o = 0; o < ORDERS; o++)
            for (uint32_t i = 0; orders[o].user == user && i < orders[o].count; i++)
                want[count++] = (struct purchase){orders[o].slots[i], orders[o].time_s, o};
        const struct shopper *who = shoppers_find(s, str_of(id));
        assert_int_equal(who ? who->line_count : 0, count);
        qsort(want, count, sizeof *want, by_time);
        if (count)
            assert_memory_equal(who->lines, want, count * sizeof *want);
    }
}

/* Small enough that no list is full, since what made room does not come back. */
static void random_changes_leave_what_a_plain_list_has(void **state)
{
    static struct plain_order orders[ORDERS];
    struct shoppers s;
    struct rng r;
    (void)state;
    rng_seed(&r, 3);
    shoppers_init(&s);
    for (uint32_t step = 0; step < 4000; step++) {
        uint32_t o = rng_below(&r, 150);
        struct plain_order *order = &orders[o];
        char id[8];
        uint32_t what = rng_below(&r, 20);
        if (what == 0) {
            uint64_t user = 1 + rng_below(&r, USERS);
            snprintf(id, sizeof id, "u%u", (unsigned)user);
            shoppers_forget(&s, str_of(id));
            for (uint32_t i = 0; i < ORDERS; i++)
                orders[i].user = orders[i].user == user ? 0 : orders[i].user;
        } else if (what < 5) {
            shoppers_remove_order(&s, order->user, o);
            order->user = 0;
        } else {
            shoppers_remove_order(&s, order->user, o);
            *order =
                (struct plain_order){.user = 1 + rng_below(&r, USERS), .time_s = rng_below(&r, 50)};
            for (uint32_t slot = 1; slot <= 6; slot++)
                if (rng_below(&r, 3) == 0)
                    order->slots[order->count++] = slot;
            snprintf(id, sizeof id, "u%u", (unsigned)order->user);
            know(&s, order->user, id);
            put(&s, order->user, o, order->time_s, order->slots, order->count);
        }
        if (step % 50 == 0)
            compare(&s, orders);
    }
    compare(&s, orders);
    shoppers_deinit(&s);
}

static void out_of_memory_leaves_it_sound(void **state)
{
    static const uint32_t ab[] = {1, 2};
    struct click view = {1, 5, 0};
    (void)state;
    OOM_LOOP
    {
        struct shoppers s;
        shoppers_init(&s);
        int rc = shoppers_know(&s, 1, STR("ann"), NULL);
        if (rc == 0)
            rc = shoppers_put_order(&s, 1, 1, 1000, ab, 2, NULL);
        if (rc == 0)
            rc = shoppers_put_event(&s, 1, &view, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        const struct shopper *ann = shoppers_find(&s, STR("ann"));
        assert_int_equal(ann ? ann->line_count : 0, s.line_count);
        shoppers_forget(&s, STR("ann"));
        assert_int_equal(s.line_count + s.event_count, 0);
        shoppers_deinit(&s);
    }
}

struct traffic {
    struct shoppers s;
    pthread_rwlock_t lock;
    bool stop;
};

static void *read_on(void *context)
{
    struct traffic *t = context;
    for (bool stop = false; !stop;) {
        pthread_rwlock_rdlock(&t->lock);
        const struct shopper *ann = shoppers_find(&t->s, STR("ann"));
        for (uint32_t i = 1; ann && i < ann->line_count; i++)
            assert_true(by_time(&ann->lines[i - 1], &ann->lines[i]) < 0);
        stop = t->stop;
        pthread_rwlock_unlock(&t->lock);
    }
    return NULL;
}

static void readers_see_whole_lists_while_one_writes(void **state)
{
    struct traffic t = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    pthread_t readers[2];
    (void)state;
    shoppers_init(&t.s);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &t), 0);
    for (uint32_t o = 0; o < 3000; o++) {
        const uint32_t slots[] = {o, o + 1};
        pthread_rwlock_wrlock(&t.lock);
        know(&t.s, 1, "ann");
        put(&t.s, 1, o % 90, o % 17, slots, 2);
        if (o % 500 == 499)
            shoppers_forget(&t.s, STR("ann"));
        pthread_rwlock_unlock(&t.lock);
    }
    pthread_rwlock_wrlock(&t.lock);
    t.stop = true;
    pthread_rwlock_unlock(&t.lock);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    shoppers_deinit(&t.s);
    pthread_rwlock_destroy(&t.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_stand_by_time_whatever_order_they_come_in),
        cmocka_unit_test(the_oldest_lines_and_events_make_room),
        cmocka_unit_test(forgetting_leaves_nothing_and_the_id_may_come_back),
        cmocka_unit_test(nobody_and_absurd_keys_are_left_out),
        cmocka_unit_test(old_lines_expire),
        cmocka_unit_test(random_changes_leave_what_a_plain_list_has),
        cmocka_unit_test(out_of_memory_leaves_it_sound),
        cmocka_unit_test(readers_see_whole_lists_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
