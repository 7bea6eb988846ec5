/* Threads live for one call. Starting one takes some 20 microseconds, which work worth sharing does
 * not notice; in return a worker that is done sleeps. OpenMP's would spin in wait for the slowest,
 * and in a process that serves requests meanwhile that takes the processor from them (measured on a
 * busy machine: half of all time). */
#include "base/parallel.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>

struct share {
    void (*body)(void *context, uint32_t worker);
    void *context;
    uint32_t worker;
};

uint32_t parallel_workers(uint32_t asked)
{
    cpu_set_t mine;
    uint32_t workers = asked;
    if (workers == 0 && sched_getaffinity(0, sizeof mine, &mine) == 0)
        workers = (uint32_t)CPU_COUNT(&mine);
    if (workers == 0)
        workers = 1;
    return workers < PARALLEL_WORKERS_MAX ? workers : PARALLEL_WORKERS_MAX;
}

static void *run_share(void *argument)
{
    struct share *share = argument;
    share->body(share->context, share->worker);
    return NULL;
}

void parallel_run(uint32_t workers, void (*body)(void *context, uint32_t worker), void *context)
{
    struct share shares[PARALLEL_WORKERS_MAX];
    pthread_t threads[PARALLEL_WORKERS_MAX];
    uint32_t started = 1;
    assert(workers >= 1 && workers <= PARALLEL_WORKERS_MAX);
    for (; started < workers; started++) {
        shares[started] = (struct share){body, context, started};
        if (pthread_create(&threads[started], NULL, run_share, &shares[started]))
            break;
    }
    body(context, 0);
    for (uint32_t w = started; w < workers; w++)
        body(context, w); /* no thread was to be had */
    for (uint32_t w = 1; w < started; w++)
        pthread_join(threads[w], NULL);
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
