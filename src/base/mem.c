/* See the header. Large arrays ask for pages of 2 MiB where the system gives them to who asks: an
 * array of hundreds of megabytes that is read here and there misses the translation of nearly every
 * address else, and filling it takes a fault for every 4 KiB. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE  ((uintptr_t)2 << 20)
#define HUGE_LEAST (8 * HUGE_PAGE) /* so that pages half in use weigh little */

/* False when count * size does not fit; an empty array still gets one byte. */
static int fits(size_t count, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(count, size, bytes) || *bytes > PTRDIFF_MAX)
        return 0;
    if (*bytes == 0)
        *bytes = 1;
    return 1;
}

/* Of the array's whole pages; whether the system heeds it makes no difference to the program. */
static void *with_large_pages(void *array, size_t bytes)
{
    if (!array || bytes < HUGE_LEAST)
        return array;
    uintptr_t begin = ((uintptr_t)array + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t end = ((uintptr_t)array + bytes) / HUGE_PAGE * HUGE_PAGE;
    (void)madvise((char *)array + (begin - (uintptr_t)array), end - begin, MADV_HUGEPAGE);
    return array;
}

void *mem_array(size_t count, size_t size)
{
    size_t bytes;
    return fits(count, size, &bytes) ? with_large_pages(malloc(bytes), bytes) : NULL;
}

void *mem_zarray(size_t count, size_t size)
{
    size_t bytes;
    return fits(count, size, &bytes) ? with_large_pages(calloc(1, bytes), bytes) : NULL;
}

void *mem_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    return fits(count, size, &bytes) ? realloc(old, bytes) : NULL;
}

void *mem_copy(const void *from, size_t size)
{
    void *copy = mem_array(size, 1);
    if (copy && size)
        memcpy(copy, from, size);
    return copy;
}

char *mem_strdup(const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? mem_array(length + 1, 1) : NULL;
    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

size_t mem_grow(size_t old, size_t need)
{
    size_t grown = old + old / 2;
    if (grown < 16)
        grown = 16;
    return grown < need ? need : grown;
}
