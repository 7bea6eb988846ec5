/* See the header. Counters are atomic: code under test may have threads. */
#include "support/oom.h"

#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static atomic_long fail_at, counted;
static atomic_bool fired;

void oom_fail_at(long n)
{
    atomic_store(&counted, 0);
    atomic_store(&fired, false);
    atomic_store(&fail_at, n);
}

void oom_disarm(void)
{
    oom_fail_at(0);
}

long oom_count(void)
{
    return atomic_load(&counted);
}

bool oom_fired(void)
{
    return atomic_load(&fired);
}

static bool fails(void)
{
    long n = atomic_fetch_add(&counted, 1) + 1;
    if (n != atomic_load(&fail_at))
        return false;
    atomic_store(&fired, true);
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}
