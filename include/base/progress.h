/* How long work is cancelled and watched. The owner shares one struct with the worker: the worker
 * calls progress_step often (every few ms) and stops when it returns true; anyone reads the
 * numbers. All functions take NULL (nobody watches). Any thread. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    atomic_bool cancelled;
    atomic_uint_fast64_t done, total; /* in the unit of the present step; total 0: unknown */
    _Atomic(const char *) step;       /* static string: "mining itemsets"; NULL before */
    const struct progress *whole;     /* what this is a part of: cancelled with it; or NULL */
};

void progress_init(struct progress *p);
/* Of a part whose own steps are not to show in those of the whole. */
void progress_init_part(struct progress *p, const struct progress *whole);
void progress_begin(struct progress *p, const char *step, uint64_t total);
bool progress_step(struct progress *p, uint64_t more); /* true: cancelled, stop */
bool progress_cancelled(const struct progress *p);
void progress_cancel(struct progress *p);

#endif
