/* Every record's lines and strings go into one arena block: a copy costs one allocation, usually a
 * pointer bump, and a batch is freed at once. */
#include "service/batch.h"

#include <string.h>

void batch_init(struct batch *b)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->arena);
}

void batch_deinit(struct batch *b)
{
    arena_deinit(&b->arena);
    VEC_FREE(&b->records);
}

void batch_clear(struct batch *b)
{
    arena_clear(&b->arena);
    b->records.count = 0;
}

size_t batch_bytes(const struct batch *b)
{
    return b->arena.used + b->records.count * sizeof *b->records.at;
}

static size_t text_bytes(const struct record *r)
{
    size_t bytes = r->order_id.len + r->user_id.len + r->event_id.len + r->session_id.len +
                   r->item_id.len + r->title.len + r->category.len + r->attributes.len;
    for (uint32_t i = 0; i < r->line_count; i++)
        bytes += r->lines[i].item_id.len + r->lines[i].title.len;
    return bytes;
}

static void move_text(struct str *s, char **at)
{
    if (s->len)
        memcpy(*at, s->ptr, s->len);
    s->ptr = *at;
    *at += s->len;
}

int batch_add(struct batch *b, const struct record *record, struct error *err)
{
    struct record copy = *record;
    size_t lines_bytes = (size_t)copy.line_count * sizeof *copy.lines;
    char *block = arena_alloc(&b->arena, lines_bytes + text_bytes(record), 1);
    if (!block || !VEC_RESERVE(&b->records, b->records.count + 1))
        return error_set(err, ERR_NOMEM, "batch: out of memory");
    struct record_line *lines = (struct record_line *)block;
    char *at = block + lines_bytes;
    if (copy.line_count)
        memcpy(lines, copy.lines, lines_bytes);
    copy.lines = lines;
    for (uint32_t i = 0; i < copy.line_count; i++) {
        move_text(&lines[i].item_id, &at);
        move_text(&lines[i].title, &at);
    }
    struct str *const texts[] = {&copy.order_id, &copy.user_id, &copy.event_id, &copy.session_id,
                                 &copy.item_id,  &copy.title,   &copy.category, &copy.attributes};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        move_text(texts[i], &at);
    b->records.at[b->records.count++] = copy;
    return 0;
}
