/* Bytes in pieces of any size -> whole lines, without their LF or CRLF. A line inside one piece is
 * handed on where it lies; one that crosses pieces is gathered. A line longer than `max` is skipped
 * up to its end and reported once; what follows is unharmed. */
#ifndef INGEST_LINESPLIT_H
#define INGEST_LINESPLIT_H

#include "base/buf.h"
#include "ingest/split.h"

struct linesplit {
    struct buf part; /* the beginning of a line whose end has not come */
    size_t max;      /* bytes of a line */
    bool skipping;   /* inside a line that is too long */
    uint64_t number; /* of the line being read */
    split_fn line;
    void *context;
};

void linesplit_init(struct linesplit *l, size_t max, split_fn line, void *context);
void linesplit_deinit(struct linesplit *l); /* may run twice */
int linesplit_push(struct linesplit *l, struct str bytes, struct error *err) WARN_UNUSED;
int linesplit_finish(struct linesplit *l,
                     struct error *err) WARN_UNUSED; /* the last line may lack its LF */

#endif
