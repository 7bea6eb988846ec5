/* See the header. The replaced wall clock is the only state. */
#include "base/clock.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

static atomic_llong test_wall_ms;

int64_t clock_wall_ms(void)
{
    int64_t fixed = atomic_load_explicit(&test_wall_ms, memory_order_relaxed);
    if (fixed)
        return fixed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double clock_cpu_s(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

uint64_t clock_peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

void clock_set_for_test(int64_t wall_ms)
{
    atomic_store(&test_wall_ms, wall_ms);
}
