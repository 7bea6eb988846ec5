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
    p->whole = NULL;
}

void progress_init_part(struct progress *p, const struct progress *whole)
{
    progress_init(p);
    p->whole = whole;
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
    for (; p; p = p->whole)
        if (atomic_load_explicit(&p->cancelled, memory_order_relaxed))
            return true;
    return false;
}

void progress_cancel(struct progress *p)
{
    if (p)
        atomic_store(&p->cancelled, true);
}
