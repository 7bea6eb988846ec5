/* A split_fn that writes what it is given as text, for the tests of splitters. */
#ifndef SUPPORT_SPLITLOG_H
#define SUPPORT_SPLITLOG_H

#include "base/buf.h"
#include "ingest/split.h"

/* context: struct buf. "NUMBER:text|", or "NUMBER!|" for a skipped piece. */
int splitlog_take(void *context, struct str text, uint64_t number, struct error *err);

#endif
