/* What the splitters (linesplit, jsonarr) hand on: one piece of text, whole. */
#ifndef INGEST_SPLIT_H
#define INGEST_SPLIT_H

#include "base/error.h"
#include "base/str.h"

/* `text` is borrowed for the call; its ptr is NULL when the piece was longer than the splitter's
 * maximum and was skipped. `number` counts from 1. Non-zero (with err set) stops the splitting and
 * comes back from push or finish. */
typedef int (*split_fn)(void *context, struct str text, uint64_t number, struct error *err);

#endif
