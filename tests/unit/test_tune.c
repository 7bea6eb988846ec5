#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "eval/fit.h"
#include "eval/tune.h"
#include "support/madeorders.h"
#include "support/oom.h"
#include "support/walkers.h"

#include <string.h>

static const struct walkers usual = {.shoppers = 1800, .items = 40, .steps = 20};

struct log {
    struct tune_try tries[200];
    uint32_t count;
};

static int note(void *context, const struct tune_try *t, struct error *err)
{
    struct log *log = context;
    (void)err;
    assert_true(log->count < 200);
    log->tries[log->count++] = *t;
    return 0;
}

static struct tune_params asked(struct log *log)
{
    return (struct tune_params){
        .mix = MIX_PERSONAL, .tries = 9, .seed = 3, .threads = 2, .tried = note, .context = log};
}

static struct tuned search(const struct dataset *d, const struct tune_params *params)
{
    struct tuned out;
    struct error err = ERROR_INIT;
    if (tune(d, params, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

static void each_rung_keeps_the_best_third_on_more_orders(void **state)
{
    struct dataset d = walkers_make(&usual, 1);
    struct log log = {.count = 0};
    struct tune_params params = asked(&log);
    uint32_t of_rung[TUNE_RUNGS] = {0};
    (void)state;
    struct tuned t = search(&d, &params);
    assert_true(t.complete);
    assert_int_equal(t.tries, 9 + 3 + 1);
    for (uint32_t x = 0; x < log.count; x++) {
        const struct tune_try *one = &log.tries[x];
        of_rung[one->rung]++;
        assert_true(one->ndcg > 0 && one->questions > 10);
        for (uint32_t y = 0; y < x && one->rung > 0; y++)
            if (log.tries[y].rung < one->rung)
                assert_true(log.tries[y].orders < one->orders);
        /* whoever is not in the next rung was no better than those who are */
        for (uint32_t y = 0; y < log.count && one->rung > 0; y++) {
            const struct tune_try *other = &log.tries[y];
            bool before = other->rung == one->rung - 1, went_on = false;
            double own = -1;
            for (uint32_t z = 0; z < log.count; z++) {
                went_on |= log.tries[z].rung == one->rung && log.tries[z].number == other->number;
                if (log.tries[z].rung == one->rung - 1 && log.tries[z].number == one->number)
                    own = log.tries[z].ndcg;
            }
            if (before && !went_on)
                assert_true(other->ndcg <= own);
        }
    }
    assert_memory_equal(of_rung, ((uint32_t[]){9, 3, 1}), sizeof of_rung);
    dataset_deinit(&d);
}

static void a_search_goes_on_where_it_stopped(void **state)
{
    struct dataset d = walkers_make(&usual, 2);
    struct log all = {.count = 0}, rest = {.count = 0};
    struct tune_params params = asked(&all);
    (void)state;
    struct tuned whole = search(&d, &params);
    params = asked(&rest);
    params.done = all.tries;
    params.done_count = 10;
    params.threads = 1;
    struct tuned resumed = search(&d, &params);
    assert_int_equal(resumed.number, whole.number);
    assert_int_equal(resumed.tries, whole.tries - 10);
    assert_int_equal(rest.count, all.count - 10);
    for (uint32_t x = 0; x < rest.count; x++) {
        assert_int_equal(rest.tries[x].number, all.tries[10 + x].number);
        assert_true(rest.tries[x].ndcg == all.tries[10 + x].ndcg);
    }
    dataset_deinit(&d);
}

static void a_deadline_ends_it_with_the_best_so_far(void **state)
{
    struct dataset d = walkers_make(&usual, 3);
    struct log log = {.count = 0};
    struct tune_params params = asked(&log);
    (void)state;
    params.deadline_ns = clock_mono_ns();
    struct tuned t = search(&d, &params);
    assert_false(t.complete || t.adopted);
    assert_int_equal(t.tries, 0);
    assert_int_equal(t.number, 0);
    dataset_deinit(&d);
}

static void draws_are_valid_and_repeat(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 300; number++) {
        struct recipe one, again;
        const char *what = "";
        uint32_t items = number % 2 ? 100 : 100000;
        tune_menu(7, number, items, &one);
        tune_menu(7, number, items, &again);
        assert_memory_equal(&one, &again, sizeof one);
        if (!recipe_valid(&one, &what))
            fail_msg("draw %u: %s", number, what);
    }
}

/* Days without a time of day: all of a day's orders ask, or none. */
static void no_rung_sees_an_order_that_asks_in_the_end(void **state)
{
    struct dataset d = walkers_make(&usual, 5);
    struct log log = {.count = 0};
    struct tune_params params = asked(&log);
    uint32_t day = d.basket_count / 10 * 8;
    (void)state;
    for (uint32_t b = day; b < d.basket_count / 10 * 9 + 10; b++)
        d.time_ms[b] = d.time_ms[day];
    struct tuned t = search(&d, &params);
    assert_true(t.complete);
    for (uint32_t x = 0; x < log.count; x++)
        assert_true(log.tries[x].orders <= day / 10 * 9);
    dataset_deinit(&d);
}

static void out_of_memory_at_once_is_an_error(void **state)
{
    struct dataset d = walkers_make(&usual, 6);
    struct log log = {.count = 0};
    struct tune_params params = asked(&log);
    (void)state;
    for (long n = 1; n <= 20; n++) {
        struct tuned out;
        struct error err = ERROR_INIT;
        oom_fail_at(n);
        assert_int_equal(tune(&d, &params, &out, &err), ERR_NOMEM);
        oom_disarm();
    }
    dataset_deinit(&d);
}

static void too_few_orders_are_told(void **state)
{
    const struct walkers few = {.shoppers = 20, .items = 10, .steps = 6};
    struct dataset d = walkers_make(&few, 4);
    struct log log = {.count = 0};
    struct tune_params params = asked(&log);
    struct tuned out;
    struct error err = ERROR_INIT;
    (void)state;
    assert_int_equal(tune(&d, &params, &out, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "too few"));
    dataset_deinit(&d);
}

static void estimates_cover_any_draw_and_what_is_made(void **state)
{
    const struct made_params shop = {
        .orders = 12000, .items = 1500, .shoppers = 3000, .largest = 8};
    struct dataset d = made_orders(&shop, 3);
    struct dataset_shape shape;
    (void)state;
    dataset_shape_of(&d, &shape);
    for (enum mix_kind mix = MIX_BASKET; mix <= MIX_PERSONAL; mix += MIX_PERSONAL - MIX_BASKET) {
        const struct tune_params params = {.mix = mix, .tries = 3, .seed = 2, .threads = 1};
        const struct fit_params fit = {.questions = 900, .threads = 1};
        uint64_t said = tune_estimate_bytes(&shape, &params);
        for (uint32_t number = 0; number < 200; number++) {
            struct recipe menu;
            struct fit_estimate drawn;
            tune_menu(2, number, d.item_count, &menu);
            recipe_fit_estimate(&shape, &menu, mix, &fit, &drawn);
            assert_true(drawn.peak_bytes < said);
        }
        heap_watch();
        search(&d, &params);
        assert_in_range(heap_most(), said / 6, said);
    }
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rung_keeps_the_best_third_on_more_orders),
        cmocka_unit_test(a_search_goes_on_where_it_stopped),
        cmocka_unit_test(a_deadline_ends_it_with_the_best_so_far),
        cmocka_unit_test(draws_are_valid_and_repeat),
        cmocka_unit_test(no_rung_sees_an_order_that_asks_in_the_end),
        cmocka_unit_test(out_of_memory_at_once_is_an_error),
        cmocka_unit_test(too_few_orders_are_told),
        cmocka_unit_test(estimates_cover_any_draw_and_what_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
