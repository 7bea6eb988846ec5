/* OpenMP keeps its threads between regions, which makes a region cost microseconds. Its barriers
 * are invisible to ThreadSanitizer, so under it the hand-over at both ends is announced by hand. */
#include "base/parallel.h"

#include <omp.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define announce(address) __tsan_release(address)
#define observe(address)  __tsan_acquire(address)
#define UNWATCHED         __attribute__((no_sanitize("thread")))
#else
#define announce(address) ((void)(address))
#define observe(address)  ((void)(address))
#define UNWATCHED
#endif

uint32_t parallel_workers(uint32_t asked)
{
    uint32_t workers = asked ? asked : (uint32_t)omp_get_max_threads();
    return workers < PARALLEL_WORKERS_MAX ? workers : PARALLEL_WORKERS_MAX;
}

UNWATCHED void parallel_run(uint32_t workers, void (*body)(void *context, uint32_t worker),
                            void *context)
{
    char fork = 0, join = 0;
    announce(&fork);
#pragma omp parallel for schedule(static, 1) num_threads(workers)
    for (uint32_t worker = 0; worker < workers; worker++) {
        observe(&fork);
        body(context, worker);
        announce(&join);
    }
    observe(&join);
}

void cursor_init(struct cursor *c, uint64_t count, uint64_t step)
{
    atomic_init(&c->next, 0);
    c->count = count;
    c->step = step;
}

bool cursor_take(struct cursor *c, uint64_t *begin, uint64_t *end)
{
    uint64_t at = atomic_fetch_add_explicit(&c->next, c->step, memory_order_relaxed);
    if (at >= c->count)
        return false;
    *begin = at;
    *end = c->count - at < c->step ? c->count : at + c->step;
    return true;
}
