/* See the header: relaxed atomics, the numbers are for people. */
#include "base/progress.h"

#include <stddef.h>

void progress_init(struct progress *p)
{
    if (!p)
        return;
    atomic_init(&p->cancelled, false);
    atomic_init(&p->done, 0);
    atomic_init(&p->total, 0);
    atomic_init(&p->step, NULL);
}

void progress_begin(struct progress *p, const char *step, uint64_t total)
{
    if (!p)
        return;
    atomic_store(&p->step, step);
    atomic_store(&p->done, 0);
    atomic_store(&p->total, total);
}

bool progress_step(struct progress *p, uint64_t more)
{
    if (!p)
        return false;
    atomic_fetch_add_explicit(&p->done, more, memory_order_relaxed);
    return progress_cancelled(p);
}

bool progress_cancelled(const struct progress *p)
{
    return p && atomic_load_explicit(&p->cancelled, memory_order_relaxed);
}

void progress_cancel(struct progress *p)
{
    if (p)
        atomic_store(&p->cancelled, true);
}
