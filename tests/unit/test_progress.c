/* Progress: counted by many, cancelled by anyone, watched by nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/progress.h"

#include <pthread.h>

static void steps_count_until_cancelled(void **state)
{
    (void)state;
    struct progress p;
    progress_init(&p);
    assert_null(atomic_load(&p.step));
    assert_false(progress_cancelled(&p));
    progress_begin(&p, "reading", 100);
    assert_false(progress_step(&p, 30));
    assert_false(progress_step(&p, 0));
    assert_false(progress_step(&p, 12));
    assert_int_equal(atomic_load(&p.done), 42);
    assert_int_equal(atomic_load(&p.total), 100);
    assert_string_equal(atomic_load(&p.step), "reading");
    progress_cancel(&p);
    assert_true(progress_step(&p, 1));
    assert_true(progress_cancelled(&p));
    progress_begin(&p, "mining", 0); /* a new step does not forget the cancelling */
    assert_int_equal(atomic_load(&p.done), 0);
    assert_int_equal(atomic_load(&p.total), 0);
    assert_true(progress_step(&p, 1));
}

static void nobody_need_watch(void **state)
{
    (void)state;
    progress_init(NULL);
    progress_begin(NULL, "x", 1);
    assert_false(progress_step(NULL, 1));
    assert_false(progress_cancelled(NULL));
    progress_cancel(NULL);
}

static void *work(void *shared)
{
    for (int i = 0; i < 10000; i++)
        (void)progress_step(shared, 3);
    return NULL;
}

static void *work_until_cancelled(void *shared)
{
    while (!progress_step(shared, 1))
        ;
    return shared;
}

static void many_threads_count_together(void **state)
{
    (void)state;
    struct progress p;
    pthread_t threads[4];
    progress_init(&p);
    progress_begin(&p, "working", 120000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &p), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&p.done), 120000);
}

static void another_thread_stops_the_work(void **state)
{
    (void)state;
    struct progress p;
    pthread_t worker;
    progress_init(&p);
    progress_begin(&p, "working", 0);
    assert_int_equal(pthread_create(&worker, NULL, work_until_cancelled, &p), 0);
    while (atomic_load(&p.done) < 1000)
        ;
    progress_cancel(&p);
    void *result = NULL;
    pthread_join(worker, &result);
    assert_ptr_equal(result, &p);
}

static void a_part_is_cancelled_with_the_whole(void **state)
{
    struct progress whole, part;
    (void)state;
    progress_init(&whole);
    progress_init_part(&part, &whole);
    progress_begin(&whole, "all of it", 3);
    progress_begin(&part, "a piece", 100);
    assert_false(progress_step(&part, 5));
    assert_int_equal(atomic_load(&whole.done), 0);
    progress_cancel(&whole);
    assert_true(progress_step(&part, 1));
    progress_init(&whole);
    progress_cancel(&part);
    assert_false(progress_cancelled(&whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_count_until_cancelled),
        cmocka_unit_test(nobody_need_watch),
        cmocka_unit_test(many_threads_count_together),
        cmocka_unit_test(another_thread_stops_the_work),
        cmocka_unit_test(a_part_is_cancelled_with_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
