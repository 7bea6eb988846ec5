/* Overflow-checked allocation, nothing else. Plain free() releases. NULL = out of memory or
 * count * size does not fit; a count of 0 gives a valid 1-byte block. Any thread. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_array(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
void *mem_zarray(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
void *mem_resize(void *old, size_t count, size_t size) __attribute__((warn_unused_result));
void *mem_copy(const void *from, size_t size) __attribute__((malloc, warn_unused_result));
char *mem_strdup(const char *text, size_t length) __attribute__((malloc, warn_unused_result));

/* The next capacity of a growing array: at least `need`, at least 1.5 times `old`. */
size_t mem_grow(size_t old, size_t need);

/* Array of `count` elements of *p's type, not zeroed / zeroed. */
#define MEM_NEW(p, count)  ((p) = mem_array((count), sizeof *(p)))
#define MEM_ZNEW(p, count) ((p) = mem_zarray((count), sizeof *(p)))

#endif
