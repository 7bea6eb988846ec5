/* Category paths and attributes, kept and stored as compact JSON text. */
#ifndef INGEST_ITEMJSON_H
#define INGEST_ITEMJSON_H

#include "base/buf.h"
#include "ingest/jsonscan.h"

/* "A > B" -> ["A","B"], appended to `out`; names are trimmed. NULL, or why not (static string). */
const char *category_from_path(struct str path, struct buf *out);

/* A JSON array of names -> the same. [] adds nothing. False: why in s->reason. */
bool category_scan(struct jscan *s, struct buf *out);

/* A JSON object of scalars and arrays of scalars, without blanks, into an empty `out`; {} adds
 * nothing. At most LIMIT_ATTRIBUTES keys and LIMIT_ATTRIBUTES_BYTES; duplicate keys are refused.
 * False: as above. */
bool attributes_scan(struct jscan *s, struct buf *out);

#endif
