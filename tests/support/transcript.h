/* What came out of a reader, as text: a line per record and problem, then the counts. */
#ifndef SUPPORT_TRANSCRIPT_H
#define SUPPORT_TRANSCRIPT_H

#include "base/buf.h"
#include "ingest/reader.h"

struct reader_sink transcript_sink(struct buf *out);
void transcript_tally(struct buf *out, const char *name, const struct tally *t); /* if not zero */
void transcript_counts(struct buf *out, const struct ingest_counts *counts);

/* Runs `input` through a reader in pieces of `piece` bytes (0: all at once) and appends the whole
 * transcript; a failure of the input is a last line "error …". Returns what failed or 0. */
int transcript_run(struct buf *out, const struct reader_options *options, struct str input,
                   size_t piece);

#endif
