/* Order rows as bytes for the external sort: a flag byte, then varints (LEB128) and strings with
 * their length in front; what is absent takes no room. A typical row takes 15 to 60 bytes. */
#ifndef INGEST_PACKROW_H
#define INGEST_PACKROW_H

#include "base/buf.h"
#include "ingest/clean.h"

struct packrow {
    enum line_class class; /* only LINE_GOOD has the fields below `line` */
    uint64_t line;
    struct record_line item;
    struct str user_id; /* ptr NULL: not with this row */
    int64_t time_ms;    /* RECORD_NO_TIME: not with this row */
};

void packrow_put(const struct packrow *row, struct buf *out); /* failure shows in `out` */

/* Takes one row off the front of *bytes; its strings are slices of them. False: damaged. */
bool packrow_get(struct str *bytes, struct packrow *row) __attribute__((warn_unused_result));

#endif
