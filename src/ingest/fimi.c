/* Each word is a row of an order, judged and merged like any other. */
#include "ingest/fimi.h"

#include <stdio.h>

enum { NUMBER_BYTES = 21 }; /* ":" and a line number */

int fimi_init(struct fimi *f, struct cleaner *clean, const char *source, struct error *err)
{
    struct str name = str_of(source);
    *f = (struct fimi){.clean = clean, .source = source};
    merge_init(&f->merge, false);
    if (!source)
        return error_set(err, ERR_INVALID,
                         "fimi: the format has no order ids; --source NAME makes them NAME:line");
    const char *why = name.len > LIMIT_ID_BYTES - NUMBER_BYTES ? "is too long" : id_problem(name);
    return why ? error_set(err, ERR_INVALID, "source: %s", why) : 0;
}

void fimi_deinit(struct fimi *f)
{
    merge_deinit(&f->merge);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of *text; len 0 at the end. */
static struct str next_word(struct str *text)
{
    size_t from = 0, to;
    while (from < text->len && is_blank(text->ptr[from]))
        from++;
    for (to = from; to < text->len && !is_blank(text->ptr[to]);)
        to++;
    struct str word = {text->ptr + from, to - from};
    *text = (struct str){text->ptr + to, text->len - to};
    return word;
}

int fimi_take(void *context, struct str text, uint64_t number, struct error *err)
{
    struct fimi *f = context;
    struct place at = {number, -1};
    char id[LIMIT_ID_BYTES + 1];
    struct record head = {.kind = RECORD_ORDER, .line = number, .time_ms = RECORD_NO_TIME};
    if (!text.ptr) {
        clean_reject(f->clean, &f->clean->counts.orders, at, "", "longer than %u bytes",
                     LIMIT_RECORD_BYTES);
        return 0;
    }
    struct raw_line raw = {.item_id = next_word(&text)};
    if (raw.item_id.len == 0)
        return 0;
    head.order_id.ptr = id;
    head.order_id.len =
        (size_t)snprintf(id, sizeof id, "%s:%llu", f->source, (unsigned long long)number);
    for (; raw.item_id.len > 0; raw.item_id = next_word(&text)) {
        struct record_line line;
        enum line_class class = clean_line(f->clean, at, &raw, &line);
        int rc = merge_add(&f->merge, class, &line, err);
        if (rc < 0)
            return rc;
    }
    return merge_finish(&f->merge, f->clean, &head, err);
}
