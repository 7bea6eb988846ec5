/* A pointer is made of a chain of places on the decoder's stack, so that nothing is built unless
 * something is wrong. Chains are as short as the tables are deep. */
#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>

void problems_init(struct problems *p, struct arena *arena)
{
    p->arena = arena;
    p->count = p->total = 0;
    p->no_memory = false;
}

/* RFC 6901, 3: "~" and "/" inside a name are "~0" and "~1". */
static void add_name(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~' || name.ptr[i] == '/')
            buf_text(out, name.ptr[i] == '~' ? "~0" : "~1");
        else
            buf_char(out, name.ptr[i]);
    }
}

#define DEPTH_MAX 8

static void add_place(struct buf *out, const struct place *place)
{
    const struct place *chain[DEPTH_MAX];
    size_t depth = 0;
    if (place && place->parameter) {
        buf_str(out, place->name);
        return;
    }
    for (; place && depth < DEPTH_MAX; place = place->up)
        chain[depth++] = place;
    while (depth-- > 0) {
        buf_char(out, '/');
        if (chain[depth]->name.ptr)
            add_name(out, chain[depth]->name);
        else
            buf_u64(out, chain[depth]->index);
    }
}

void problems_add(struct problems *p, const struct place *place, const char *format, ...)
{
    char detail[512];
    struct buf where;
    va_list args;
    p->total++;
    if (p->count == PROBLEMS_MAX)
        return;
    va_start(args, format);
    int length = vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    if (length < 0)
        length = 0;
    size_t kept = (size_t)length < sizeof detail ? (size_t)length : sizeof detail - 1;
    while (kept < (size_t)length && kept > 0 && ((unsigned char)detail[kept] & 0xc0) == 0x80)
        kept--; /* do not cut a character in two */
    buf_init(&where, 0);
    add_place(&where, place);
    struct problem *at = &p->at[p->count];
    at->detail = arena_str(p->arena, (struct str){detail, kept});
    at->where = arena_str(p->arena, (struct str){where.ptr, where.len});
    at->parameter = place && place->parameter;
    if (where.failed || !at->detail.ptr || !at->where.ptr)
        p->no_memory = true;
    else
        p->count++;
    buf_deinit(&where);
}

void problems_json(const struct problems *p, struct buf *out)
{
    buf_char(out, '[');
    for (uint32_t i = 0; i < p->count; i++) {
        buf_text(out, i ? ",{\"detail\":" : "{\"detail\":");
        buf_json_str(out, p->at[i].detail);
        buf_text(out, p->at[i].parameter ? ",\"parameter\":" : ",\"pointer\":");
        buf_json_str(out, p->at[i].where);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}
