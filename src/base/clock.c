/* See the header. The replaced wall clock is the only state. The peak of memory is the kernel's
 * VmHWM: getrusage also counts what the program that started this one used before exec. */
#include "base/clock.h"

#include "base/str.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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

/* The number of the line "VmHWM:    1234 kB"; 0 when there is none. */
static uint64_t peak_kib(struct str status)
{
    uint64_t kib = 0;
    while (status.ptr) {
        struct str line = str_cut(&status, '\n');
        if (!str_starts(line, STR("VmHWM:")))
            continue;
        str_cut(&line, ':');
        line = str_trim(line);
        if (str_to_u64(str_cut(&line, ' '), &kib))
            return kib;
    }
    return 0;
}

uint64_t clock_peak_rss(void)
{
    char status[4096];
    uint64_t kib = 0;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t length = read(fd, status, sizeof status);
        kib = length > 0 ? peak_kib((struct str){status, (size_t)length}) : 0;
        close(fd);
    }
    if (kib == 0) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        kib = (uint64_t)usage.ru_maxrss;
    }
    return kib * 1024;
}

void clock_set_for_test(int64_t wall_ms)
{
    atomic_store(&test_wall_ms, wall_ms);
}
