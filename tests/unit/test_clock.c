/* Clocks and the memory high-water mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGE (128u << 20)

static const char *self;

static void the_wall_clock_can_be_replaced(void **state)
{
    (void)state;
    int64_t now = (int64_t)time(NULL) * 1000;
    assert_true(llabs(clock_wall_ms() - now) < 60000);
    clock_set_for_test(1234567890123);
    assert_true(clock_wall_ms() == 1234567890123);
    clock_set_for_test(0);
    assert_true(llabs(clock_wall_ms() - now) < 60000);
}

static void monotonic_time_only_rises_and_measures(void **state)
{
    (void)state;
    uint64_t start = clock_mono_ns(), last = start;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    assert_true(clock_mono_ns() - start >= 20000000);
}

static void cpu_time_counts_work_and_not_sleep(void **state)
{
    (void)state;
    double start = clock_cpu_s();
    struct timespec pause = {0, 100000000};
    nanosleep(&pause, NULL);
    assert_true(clock_cpu_s() - start < 0.09);
    volatile uint32_t work = 1;
    while (clock_cpu_s() - start < 0.1)
        for (int i = 0; i < 100000; i++)
            work = work * 3 + 1;
    assert_true(clock_cpu_s() - start >= 0.1);
}

static void the_peak_stays_after_memory_is_given_back(void **state)
{
    (void)state;
    uint64_t before = clock_peak_rss();
    assert_true(before > 100 << 10);
    volatile char *block = malloc(LARGE);
    assert_non_null(block);
    for (size_t i = 0; i < LARGE; i += 4096)
        block[i] = 1;
    free((void *)block);
    assert_true(clock_peak_rss() >= LARGE);
    assert_true(clock_peak_rss() < before + 8ull * LARGE); /* a sanitizer adds its own */
}

/* A copy of this program, large at that moment, starts it anew: that one must not count it. */
static void the_peak_is_that_of_this_program_alone(void **state)
{
    (void)state;
    volatile char *block = malloc(LARGE);
    assert_non_null(block);
    for (size_t i = 0; i < LARGE; i += 4096)
        block[i] = 1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(self, self, "peak", (char *)NULL);
        _exit(3);
    }
    free((void *)block);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_can_be_replaced),
        cmocka_unit_test(monotonic_time_only_rises_and_measures),
        cmocka_unit_test(cpu_time_counts_work_and_not_sleep),
        cmocka_unit_test(the_peak_stays_after_memory_is_given_back),
        cmocka_unit_test(the_peak_is_that_of_this_program_alone),
    };
    self = argv[0];
    if (argc > 1)
        return clock_peak_rss() < LARGE ? 0 : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
