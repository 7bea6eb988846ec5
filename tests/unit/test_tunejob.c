#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "support/shopkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TUNINGS "SELECT count(*) FROM jobs WHERE kind = 'tune'"
#define RUNNING TUNINGS " AND state = 'running'"

static struct shopkit kit;

static void say(const char *when)
{
    snprintf(kit.settings.tune, sizeof kit.settings.tune, "%s", when);
}

/* A trained shop with orders enough to tune by; closed. */
static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    shopkit_init(&kit);
    kit.settings.threads = 2;
    shopkit_open(&kit, SHOP_SERVE);
    shopkit_orders(&kit, "o", 6000, 200, 2);
    assert_int_equal(shopkit_wait_job(&kit, shopkit_submit_train(&kit)), JOB_DONE);
    shopkit_shut(&kit);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_set_for_test(0);
    shopkit_close(&kit);
    return 0;
}

static bool comes(const char *sql, int64_t count)
{
    for (int i = 0; i < 600; i++) {
        if (shopkit_count(&kit, sql) >= count)
            return true;
        usleep(10000);
    }
    return false;
}

static int64_t newest_tuning(void)
{
    return shopkit_count(&kit, "SELECT max(job_id) FROM jobs WHERE kind = 'tune'");
}

static uint32_t tries_noted(void)
{
    char path[4200], line[1000];
    uint32_t count = 0;
    snprintf(path, sizeof path, "%s/tune.ndjson", kit.settings.data);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        count++;
    if (file)
        fclose(file);
    return count;
}

static void a_tuning_begins_at_night_once_and_reports(void **state)
{
    int64_t noon;
    (void)state;
    say("nightly");
    kit.settings.tune_hour = 23;
    kit.settings.tune_budget_ms = 1; /* no menu is tried */
    assert_true(str_to_time_ms(STR("2026-02-15T12:00:00Z"), &noon));
    clock_set_for_test(noon);
    shopkit_open(&kit, SHOP_SERVE);
    usleep(1300000);
    assert_int_equal(shopkit_count(&kit, TUNINGS), 0);
    clock_set_for_test(noon + 13 * 3600000); /* 1 o'clock of the next day */
    assert_true(comes(TUNINGS, 1));
    int64_t id = newest_tuning();
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE);
    shopkit_job_has(&kit, id, "\"kind\":\"tune\",\"state\":\"done\"");
    shopkit_job_has(&kit, id, "\"report\":{\"surfaces\":[{\"surface\":\"basket\",");
    shopkit_job_has(&kit, id, "\"surface\":\"personal\"");
    shopkit_orders(&kit, "p", 10, 200, 2);
    usleep(1300000);
    assert_int_equal(shopkit_count(&kit, TUNINGS), 1); /* not twice a night */
    clock_set_for_test(noon + 37 * 3600000);
    assert_true(comes(TUNINGS, 2));
}

static void nothing_new_is_not_tuned_by_again(void **state)
{
    (void)state;
    say("1s");
    kit.settings.tune_budget_ms = 1;
    shopkit_open(&kit, SHOP_SERVE);
    assert_true(comes(TUNINGS, 1));
    usleep(2300000);
    assert_int_equal(shopkit_count(&kit, TUNINGS), 1);
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_SERVE);
    usleep(1300000);
    assert_int_equal(shopkit_count(&kit, TUNINGS), 1);
    shopkit_orders(&kit, "p", 10, 200, 2);
    assert_true(comes(TUNINGS, 2));
}

static void a_training_goes_first(void **state)
{
    (void)state;
    say("1h");
    shopkit_open(&kit, SHOP_SERVE);
    assert_true(comes(RUNNING, 1));
    int64_t tuning = newest_tuning();
    for (int i = 0; i < 1000 && tries_noted() < 3; i++)
        usleep(10000);
    shopkit_job_has(&kit, tuning, "\"step\":\"trying menus\"");
    int64_t training = shopkit_submit_train(&kit);
    assert_int_equal(shopkit_wait_job(&kit, training), JOB_DONE);
    assert_true(comes(RUNNING, 1));
    assert_int_equal(newest_tuning(), tuning);
    struct job_cancel_op op;
    jobs_cancel_prepare(&op, tuning, NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), 0);
    assert_int_equal(shopkit_wait_job(&kit, tuning), JOB_CANCELLED);
}

static void closing_stops_it_and_the_next_start_goes_on(void **state)
{
    (void)state;
    say("1h");
    shopkit_open(&kit, SHOP_SERVE);
    for (int i = 0; i < 1000 && tries_noted() < 3; i++)
        usleep(10000);
    uint64_t start_ns = clock_mono_ns();
    shopkit_shut(&kit);
    assert_true(clock_mono_ns() - start_ns < 5000000000u);
    uint32_t before = tries_noted();
    assert_int_equal(shopkit_count(&kit, RUNNING), 1);
    kit.settings.tune_budget_ms = 2000; /* slow where threads are checked */
    shopkit_open(&kit, SHOP_SERVE);
    shopkit_orders(&kit, "p", 10, 200, 2);
    int64_t id = newest_tuning();
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE);
    char resumed[40];
    snprintf(resumed, sizeof resumed, "\"resumed\":%u,", before);
    shopkit_job_has(&kit, id, resumed);
    assert_int_equal(shopkit_count(&kit, TUNINGS), 1);
}

static void one_that_never_ends_is_given_up(void **state)
{
    (void)state;
    say("1h");
    for (int i = 0; i < 5; i++) {
        shopkit_open(&kit, SHOP_SERVE);
        assert_true(comes(RUNNING, 1));
        shopkit_shut(&kit);
    }
    shopkit_open(&kit, SHOP_SERVE);
    assert_int_equal(shopkit_wait_job(&kit, newest_tuning()), JOB_FAILED);
    shopkit_job_has(&kit, newest_tuning(), "begun 5 times");
}

static void a_start_without_the_setting_drops_it(void **state)
{
    (void)state;
    say("1h");
    shopkit_open(&kit, SHOP_SERVE);
    assert_true(comes(RUNNING, 1));
    shopkit_shut(&kit);
    say("off");
    shopkit_open(&kit, SHOP_SERVE);
    assert_int_equal(shopkit_wait_job(&kit, newest_tuning()), JOB_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_tuning_begins_at_night_once_and_reports),
        T(nothing_new_is_not_tuned_by_again),
        T(a_training_goes_first),
        T(closing_stops_it_and_the_next_start_goes_on),
        T(one_that_never_ends_is_given_up),
        T(a_start_without_the_setting_drops_it),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
