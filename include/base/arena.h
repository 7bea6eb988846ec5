/* Bump allocator: many small things with one lifetime (a batch of records, a request, one level of
 * a search). Not thread safe; each owner has its own. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* newest block first */
    size_t used;              /* bytes handed out, for budgets */
};

struct arena_mark {
    struct arena_block *block;
    size_t fill, used;
};

void arena_init(struct arena *a);
void arena_deinit(struct arena *a); /* frees everything; may run twice */
void arena_clear(struct arena *a);  /* frees all but one block, which is reused */

/* 16-byte aligned; NULL = out of memory. */
void *arena_alloc(struct arena *a, size_t count, size_t size) __attribute__((warn_unused_result));
/* A copy with a NUL behind it; ptr NULL = out of memory. An empty slice gives an empty copy. */
struct str arena_str(struct arena *a, struct str s) __attribute__((warn_unused_result));

struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark); /* back to the mark */

#endif
