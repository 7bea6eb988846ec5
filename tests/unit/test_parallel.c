/* Work shared between threads: each worker once, each number once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parallel.h"

#include <string.h>

#define NUMBERS 100003u

struct shared {
    struct cursor cursor;
    uint32_t calls[PARALLEL_WORKERS_MAX];
    uint64_t sums[PARALLEL_WORKERS_MAX]; /* plain: each belongs to its worker */
    unsigned char taken[NUMBERS];
};

static struct shared shared;

static void sum_numbers(void *context, uint32_t worker)
{
    struct shared *s = context;
    uint64_t begin, end;
    s->calls[worker]++;
    while (cursor_take(&s->cursor, &begin, &end))
        for (uint64_t i = begin; i < end; i++) {
            s->taken[i]++;
            s->sums[worker] += i;
        }
}

static void every_worker_runs_once_and_every_number_is_taken_once(void **state)
{
    (void)state;
    static const uint32_t workers[] = {1, 2, 3, 7, PARALLEL_WORKERS_MAX};
    static const uint64_t steps[] = {1, 1000, NUMBERS, UINT32_MAX};
    for (size_t w = 0; w < 5; w++) {
        for (size_t i = 0; i < 4; i++) {
            memset(&shared, 0, sizeof shared);
            cursor_init(&shared.cursor, NUMBERS, steps[i]);
            parallel_run(workers[w], sum_numbers, &shared);
            uint64_t sum = 0;
            for (uint32_t j = 0; j < PARALLEL_WORKERS_MAX; j++) {
                assert_int_equal(shared.calls[j], j < workers[w]);
                sum += shared.sums[j];
            }
            assert_true(sum == (uint64_t)NUMBERS * (NUMBERS - 1) / 2);
            for (uint32_t j = 0; j < NUMBERS; j++)
                assert_int_equal(shared.taken[j], 1);
        }
    }
}

static void a_cursor_over_nothing_gives_nothing(void **state)
{
    (void)state;
    struct cursor c;
    uint64_t begin = 7, end = 7;
    cursor_init(&c, 0, 10);
    assert_false(cursor_take(&c, &begin, &end));
    cursor_init(&c, 15, 10);
    assert_true(cursor_take(&c, &begin, &end));
    assert_true(cursor_take(&c, &begin, &end));
    assert_int_equal(begin, 10);
    assert_int_equal(end, 15);
    assert_false(cursor_take(&c, &begin, &end));
    assert_false(cursor_take(&c, &begin, &end));
}

static void the_number_of_workers_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(parallel_workers(1), 1);
    assert_int_equal(parallel_workers(5), 5);
    assert_int_equal(parallel_workers(UINT32_MAX), PARALLEL_WORKERS_MAX);
    assert_in_range(parallel_workers(0), 1, PARALLEL_WORKERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_runs_once_and_every_number_is_taken_once),
        cmocka_unit_test(a_cursor_over_nothing_gives_nothing),
        cmocka_unit_test(the_number_of_workers_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
