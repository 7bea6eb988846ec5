/* Loops over several threads. Bodies share nothing but what they guard themselves, and report
 * errors through their context. Any thread. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PARALLEL_WORKERS_MAX 64

/* The number of workers to use: `asked`, or as many as there are processors for this process when
 * 0; 1 to PARALLEL_WORKERS_MAX. */
uint32_t parallel_workers(uint32_t asked);

/* Calls body(context, worker) once for each worker 0..workers-1, at the same time where threads are
 * to be had, and returns when all have returned. Bodies must not wait for each other. */
void parallel_run(uint32_t workers, void (*body)(void *context, uint32_t worker), void *context);

/* Hands out the numbers 0..count-1 in pieces of `step` to whoever asks next. */
struct cursor {
    atomic_uint_fast64_t next;
    uint64_t count, step;
};

void cursor_init(struct cursor *c, uint64_t count, uint64_t step);
bool cursor_take(struct cursor *c, uint64_t *begin, uint64_t *end); /* false: none left */

#endif
