/* Events become sessions: which belong together, their order, the bounds; and an item that only has
 * events goes through all of training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "engine/recommend.h"
#include "support/oom.h"
#include "support/tinyshop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS (60 * 1000LL)
#define DAY_MS    (24 * 3600 * 1000LL)

struct plain {
    struct event at[400];
    uint32_t count;
};

static void make(const struct plain *p, const struct session_limits *limits, struct dataset *d)
{
    struct dataset_limits all = {.sessions = limits ? *limits : (struct session_limits){0}};
    assert_int_equal(dataset_init(d, &all, NULL), 0);
    for (uint32_t e = 0; e < p->count; e++)
        assert_int_equal(dataset_add_event(d, &p->at[e], NULL), 0);
    assert_int_equal(dataset_finish(d, NULL), 0);
}

static void assert_row(const struct dataset *d, uint32_t row, uint32_t length, const uint32_t *keys)
{
    const struct histories *r = &d->sessions.rows;
    assert_int_equal(r->start[row + 1] - r->start[row], length);
    for (uint32_t x = 0; x < length; x++)
        assert_int_equal(d->item_key[r->item[r->start[row] + x]], keys[x]);
}

static void a_session_id_makes_a_session_however_long_it_lasts(void **state)
{
    (void)state;
    struct plain p = {.count = 5,
                      .at = {{.time_ms = 9 * DAY_MS, .session = 7, .item = 30, .user = 1},
                             {.time_ms = 2 * DAY_MS, .session = 7, .item = 10},
                             {.time_ms = 1 * DAY_MS, .session = 8, .item = 20, .user = 1},
                             {.time_ms = 2 * DAY_MS, .session = 7, .item = 10, .action = 1},
                             {.time_ms = 3 * DAY_MS, .session = 8, .item = 10, .user = 1}}};
    struct dataset d;
    make(&p, NULL, &d);
    assert_int_equal(d.item_count, 3);
    assert_int_equal(d.basket_count, 0);
    assert_int_equal(d.sessions.rows.count, 2);
    assert_int_equal(d.sessions.rows.item_count, 3);
    assert_row(&d, 0, 2, (uint32_t[]){20, 10}); /* it ended first */
    assert_row(&d, 1, 3, (uint32_t[]){10, 10, 30});
    assert_int_equal(d.sessions.action[2], 0); /* of equal times the first added is first */
    assert_int_equal(d.sessions.action[3], 1);
    assert_int_equal(d.sessions.rows.time_ms[4], 9 * DAY_MS);
    assert_int_equal(d.sessions.dropped, 0);
    dataset_deinit(&d);
}

static void without_an_id_half_an_hour_of_nothing_ends_a_users_session(void **state)
{
    (void)state;
    struct plain p = {.count = 7,
                      .at = {{.time_ms = 0, .user = 1, .item = 1},
                             {.time_ms = 30 * MINUTE_MS - 1, .user = 1, .item = 2},
                             {.time_ms = 60 * MINUTE_MS - 1, .user = 1, .item = 3},
                             {.time_ms = 61 * MINUTE_MS, .user = 1, .item = 4},
                             {.time_ms = 5, .user = 2, .item = 5},
                             {.time_ms = 6, .item = 6}, /* nobody's: each by itself */
                             {.time_ms = 6, .item = 7}}};
    struct dataset d;
    make(&p, NULL, &d);
    assert_int_equal(d.sessions.rows.count, 5);
    assert_row(&d, 0, 1, (uint32_t[]){5});
    assert_row(&d, 1, 1, (uint32_t[]){6});
    assert_row(&d, 2, 1, (uint32_t[]){7});
    assert_row(&d, 3, 2, (uint32_t[]){1, 2});
    assert_row(&d, 4, 2, (uint32_t[]){3, 4});
    dataset_deinit(&d);
}

static void the_bounds_keep_the_newest(void **state)
{
    (void)state;
    struct plain p = {.count = 12};
    struct dataset d;
    for (uint32_t e = 0; e < 12; e++)
        p.at[e] = (struct event){.time_ms = 1000 - e, .session = 1 + e % 2, .item = 1 + e};
    make(&p, &(struct session_limits){.max_events = 9, .max_session_events = 4}, &d);
    /* Those added first, 1 to 3, are gone; then the earliest of each session. */
    assert_int_equal(d.sessions.rows.count, 2);
    assert_row(&d, 0, 4, (uint32_t[]){11, 9, 7, 5});
    assert_row(&d, 1, 4, (uint32_t[]){10, 8, 6, 4});
    assert_int_equal(d.sessions.dropped, 4);
    assert_int_equal(d.item_count, 8);
    assert_int_equal(sessions_events(&d.sessions), 8);
    dataset_deinit(&d);
}

static void no_events_make_no_sessions(void **state)
{
    (void)state;
    struct dataset d;
    struct csr sets;
    make(&(struct plain){0}, NULL, &d);
    assert_int_equal(d.sessions.rows.count, 0);
    assert_int_equal(sessions_events(&d.sessions), 0);
    assert_int_equal(histories_sets(&d.sessions.rows, &sets, NULL), 0);
    assert_int_equal(csr_entries(&sets), 0);
    csr_deinit(&sets);
    dataset_deinit(&d);
}

/* The same by searching: the previous event of the same stream, in order of (time, adding). */
static bool same_stream(const struct event *a, const struct event *b)
{
    if (a->session || b->session)
        return a->session == b->session;
    return a->user != 0 && a->user == b->user;
}

static bool earlier(const struct plain *p, uint32_t a, uint32_t b)
{
    return p->at[a].time_ms != p->at[b].time_ms ? p->at[a].time_ms < p->at[b].time_ms : a < b;
}

static uint32_t plain_before(const struct plain *p, uint32_t e)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t o = 0; o < p->count; o++)
        if (o != e && same_stream(&p->at[o], &p->at[e]) && earlier(p, o, e) &&
            (best == UINT32_MAX || earlier(p, best, o)))
            best = o;
    if (best == UINT32_MAX || p->at[e].session)
        return best;
    return p->at[e].time_ms - p->at[best].time_ms < SESSION_PAUSE_MS ? best : UINT32_MAX;
}

static void random_events_equal_the_plain_way(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 5);
    for (int round = 0; round < 40; round++) {
        static struct plain p;
        struct dataset d;
        p.count = rng_below(&rng, 400);
        for (uint32_t e = 0; e < p.count; e++)
            p.at[e] = (struct event){.time_ms = rng_below(&rng, 100) * 4 * MINUTE_MS,
                                     .user = rng_below(&rng, 5),
                                     .session = rng_below(&rng, 3) ? 0 : rng_below(&rng, 30),
                                     .item = e + 1, /* names the event */
                                     .action = (uint8_t)rng_below(&rng, 5)};
        make(&p, NULL, &d);
        const struct histories *r = &d.sessions.rows;
        assert_int_equal(sessions_events(&d.sessions), p.count);
        for (uint32_t s = 0; s < r->count; s++) {
            assert_true(r->start[s] < r->start[s + 1]);
            assert_true(s == 0 || r->time_ms[r->start[s] - 1] <= r->time_ms[r->start[s + 1] - 1]);
            for (uint64_t x = r->start[s]; x < r->start[s + 1]; x++) {
                uint32_t e = r->item[x]; /* every key has an event, so that index + 1 is the key */
                uint32_t before = x > r->start[s] ? r->item[x - 1] : UINT32_MAX;
                assert_int_equal(plain_before(&p, e), before);
                assert_int_equal(r->time_ms[x], p.at[e].time_ms);
                assert_int_equal(d.sessions.action[x], p.at[e].action);
            }
        }
        dataset_deinit(&d);
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct dataset d;
        struct error err = ERROR_INIT;
        int rc = dataset_init(&d, NULL, &err);
        for (uint32_t e = 0; e < 60 && rc == 0; e++) {
            struct event event = {
                .time_ms = 900 - e, .user = e % 7, .session = e % 3, .item = e + 1};
            rc = dataset_add_event(&d, &event, &err);
        }
        rc = rc ? rc : dataset_finish(&d, &err);
        if (oom_fired())
            assert_true(rc == ERR_NOMEM && err.code == ERR_NOMEM);
        else
            assert_int_equal(rc, 0);
        dataset_deinit(&d);
    }
}

static void a_weight_halves_with_its_half_life(void **state)
{
    (void)state;
    struct event_weights w = event_weights_default();
    assert_true(event_weight_at(&w.of[ACTION_CART], 0) == 0.5);
    assert_true(event_weight_at(&w.of[ACTION_CART], -DAY_MS) == 0.5);
    assert_true(fabs(event_weight_at(&w.of[ACTION_CART], 60 * DAY_MS) - 0.125) < 1e-12);
    assert_true(event_weight_at(&w.of[ACTION_PURCHASE], 3650 * DAY_MS) == 1);
    assert_true(event_weight_at(&w.of[ACTION_UNCART], 0) == 0);
}

/* Orders of the items at even places of tinyshop_random's keys, events of all: every step of
 * training and every surface has to do with items nobody ever ordered. */
static void items_with_events_alone_go_through_training_and_answers(void **state)
{
    (void)state;
    struct tinyshop t;
    struct error err = ERROR_INIT;
    struct rng rng;
    rng_seed(&rng, 8);
    tinyshop_random(&t, 60, 1, 4); /* for the catalogue and the names */
    dataset_deinit(&t.d);
    assert_int_equal(dataset_init(&t.d, NULL, NULL), 0);
    for (uint32_t b = 0; b < 400; b++) {
        uint32_t keys[4], group = rng_below(&rng, 10);
        for (uint32_t x = 0; x < 4; x++)
            keys[x] = 10 + 6 * ((group * 3 + rng_below(&rng, 5)) % 30);
        assert_int_equal(dataset_add(&t.d, b * DAY_MS / 10, 1 + b % 50, keys, 4, NULL), 0);
        struct event event = {.time_ms = b, .session = 1 + b / 4, .item = 10 + 3 * (b % 60)};
        assert_int_equal(dataset_add_event(&t.d, &event, NULL), 0);
    }
    assert_int_equal(dataset_finish(&t.d, NULL), 0);
    assert_int_equal(t.d.item_count, 60);
    assert_int_equal(t.d.item_orders[1], 0);
    tinyshop_train(&t, NULL);
    assert_int_equal(t.m->popular_count, 30);
    struct scratch *s = scratch_new(&err);
    assert_non_null(s);
    for (int surface = 0; surface < SURFACE_COUNT; surface++) {
        struct str ask[2] = {str_of(t.names[1]), str_of(t.names[2])}; /* without and with orders */
        for (uint32_t count = 0; count <= 2; count++) {
            struct query q = {.surface = (enum surface)surface,
                              .items = ask,
                              .item_count = count,
                              .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE},
                              .novelty = 0.5,
                              .diversity = 0.5,
                              .limit = 100,
                              .explain = true};
            struct answer answer;
            assert_int_equal(recommend(t.m, &t.c, &q, s, &answer, &err), 0);
            assert_int_equal(answer.unknown_count, 0);
            if (surface == SURFACE_POPULAR) /* the second item of the question has orders */
                assert_int_equal(answer.candidates, 30 - (count == 2));
            for (uint32_t x = 0; x < answer.count; x++) {
                assert_true(isfinite(answer.items[x].score));
                assert_true(t.d.item_orders[answer.items[x].item] > 0);
            }
        }
    }
    scratch_free(s);
    tinyshop_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_id_makes_a_session_however_long_it_lasts),
        cmocka_unit_test(without_an_id_half_an_hour_of_nothing_ends_a_users_session),
        cmocka_unit_test(the_bounds_keep_the_newest),
        cmocka_unit_test(no_events_make_no_sessions),
        cmocka_unit_test(random_events_equal_the_plain_way),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(a_weight_halves_with_its_half_life),
        cmocka_unit_test(items_with_events_alone_go_through_training_and_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
