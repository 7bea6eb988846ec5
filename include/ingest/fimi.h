/* FIMI: one basket per line, items separated by blanks. The format has no order ids, so they are
 * made of the source's name and the line number: importing the file again changes nothing. */
#ifndef INGEST_FIMI_H
#define INGEST_FIMI_H

#include "ingest/merge.h"
#include "ingest/split.h"

struct fimi {
    struct cleaner *clean;
    const char *source; /* borrowed */
    struct merge merge;
};

/* ERR_INVALID: no source, or one that makes no good ids. */
int fimi_init(struct fimi *f, struct cleaner *clean, const char *source,
              struct error *err) WARN_UNUSED;
void fimi_deinit(struct fimi *f); /* may run twice */

/* A split_fn for lines; context is the struct fimi. Blank lines are skipped and not counted. */
int fimi_take(void *context, struct str text, uint64_t number, struct error *err) WARN_UNUSED;

#endif
