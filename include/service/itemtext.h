/* The names of the items as one output format shows them, made once for all lines. Immutable; any
 * thread. */
#ifndef SERVICE_ITEMTEXT_H
#define SERVICE_ITEMTEXT_H

#include "data/baskets.h"

#include <string.h>

/* FIMI: items parted by blanks; TSV: by commas; NDJSON: arrays of strings. */
enum text_format { TEXT_AUTO, TEXT_FIMI, TEXT_TSV, TEXT_NDJSON }; /* AUTO: not chosen yet */
bool text_format_parse(struct str name, enum text_format *out);   /* "fimi", "tsv", "ndjson" */

#define ITEMTEXT_CHUNK 16

struct itemtext {
    char *text;      /* names, each with the separator behind it; ITEMTEXT_CHUNK bytes more */
    uint32_t *start; /* [cols + 1] */
};

/* ERR_INVALID: a name has the separator in it; ERR_NOMEM. */
int itemtext_init(struct itemtext *t, const struct baskets *baskets, enum text_format format,
                  struct error *err) WARN_UNUSED;
void itemtext_deinit(struct itemtext *t);

static inline struct str itemtext_of(const struct itemtext *t, uint32_t item)
{
    return (struct str){t->text + t->start[item], t->start[item + 1] - t->start[item]};
}

/* Copies at least `count` bytes, in pieces of fixed size, each an instruction where a call would be
 * many; there must be room for ITEMTEXT_CHUNK more on both sides. */
static inline void itemtext_copy(char *to, const char *from, size_t count)
{
    memcpy(to, from, ITEMTEXT_CHUNK);
    for (size_t at = ITEMTEXT_CHUNK; at < count; at += ITEMTEXT_CHUNK)
        memcpy(to + at, from + at, ITEMTEXT_CHUNK);
}

#endif
