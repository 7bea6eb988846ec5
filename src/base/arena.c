/* Blocks of growing size, newest first. Releasing to a mark frees the blocks made since. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK   4096
#define LARGEST_BLOCK (1u << 20)

struct arena_block {
    struct arena_block *older;
    size_t fill, size;
    alignas(16) char bytes[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_deinit(struct arena *a)
{
    while (a->head) {
        struct arena_block *older = a->head->older;
        free(a->head);
        a->head = older;
    }
    a->used = 0;
}

void arena_clear(struct arena *a)
{
    while (a->head && a->head->older) {
        struct arena_block *head = a->head, *older = head->older;
        if (head->size >= older->size) {
            head->older = older->older;
            free(older);
        } else {
            a->head = older;
            free(head);
        }
    }
    if (a->head)
        a->head->fill = 0;
    a->used = 0;
}

static struct arena_block *add_block(struct arena *a, size_t need)
{
    size_t size = a->head ? a->head->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < need)
        size = need;
    if (size > SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block = mem_array(sizeof *block + size, 1);
    if (!block)
        return NULL;
    *block = (struct arena_block){.older = a->head, .size = size};
    a->head = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    struct arena_block *block = a->head;
    if (!block || block->size - block->fill < bytes)
        block = add_block(a, bytes);
    if (!block)
        return NULL;
    void *result = block->bytes + block->fill;
    block->fill += bytes;
    a->used += bytes;
    return result;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.len + 1, 1);
    if (!copy)
        return STR_NONE;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct str){copy, s.len};
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->head, a->head ? a->head->fill : 0, a->used};
}

void arena_release(struct arena *a, struct arena_mark mark)
{
    while (a->head != mark.block) {
        struct arena_block *older = a->head->older;
        free(a->head);
        a->head = older;
    }
    if (a->head)
        a->head->fill = mark.fill;
    a->used = mark.used;
}
