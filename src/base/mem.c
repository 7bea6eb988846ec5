/* See the header. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* False when count * size does not fit; an empty array still gets one byte. */
static int fits(size_t count, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(count, size, bytes) || *bytes > PTRDIFF_MAX)
        return 0;
    if (*bytes == 0)
        *bytes = 1;
    return 1;
}

void *mem_array(size_t count, size_t size)
{
    size_t bytes;
    return fits(count, size, &bytes) ? malloc(bytes) : NULL;
}

void *mem_zarray(size_t count, size_t size)
{
    size_t bytes;
    return fits(count, size, &bytes) ? calloc(1, bytes) : NULL;
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
