/* See the header. Counters are atomic: code under test may have threads. */
#include "support/oom.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *block);

static atomic_long fail_at, counted;
static atomic_bool fired;
static _Atomic int64_t held, most;

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

static void *holds(void *block)
{
    int64_t bytes = block ? (int64_t)malloc_usable_size(block) : 0;
    int64_t now = atomic_fetch_add(&held, bytes) + bytes, before = atomic_load(&most);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
        ;
    return block;
}

void heap_watch(void)
{
    atomic_store(&held, 0);
    atomic_store(&most, 0);
}

uint64_t heap_most(void)
{
    return (uint64_t)atomic_load(&most);
}

uint64_t heap_held(void)
{
    return (uint64_t)atomic_load(&held);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : holds(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : holds(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (fails())
        return NULL;
    int64_t before = old ? (int64_t)malloc_usable_size(old) : 0;
    void *block = __real_realloc(old, size);
    if (block)
        atomic_fetch_sub(&held, before);
    return holds(block);
}

void __wrap_free(void *block)
{
    if (block)
        atomic_fetch_sub(&held, (int64_t)malloc_usable_size(block));
    __real_free(block);
}
