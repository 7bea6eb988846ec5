/* A file of baskets in any format -> basket matrix and names, for mining without a store. FIMI text
 * is read by data/baskets.h; NDJSON, JSON and CSV records go through ingest/reader.h and its
 * cleaning: each order is a basket, a later order with the same id replaces it, a cancelled one is
 * none. One thread at a time. */
#ifndef SERVICE_BASKETFILE_H
#define SERVICE_BASKETFILE_H

#include "base/progress.h"
#include "data/baskets.h"
#include "ingest/reader.h"

struct basketfile_report {
    enum reader_format format;
    uint64_t bytes;          /* after unpacking */
    uint64_t rejected;       /* bad lines that were left out */
    char first_problem[256]; /* of the first of them, with its line */
};

/* `format` AUTO: '[' JSON, '{' NDJSON, a comma or semicolon in the first line CSV, else FIMI.
 * `threads` 0: one per core. Errors as textfile_open and baskets_parse, naming the file; reader
 * errors. */
int basketfile_read(const char *path, enum reader_format format, uint32_t threads,
                    struct progress *progress, struct baskets *out,
                    struct basketfile_report *report, struct error *err) WARN_UNUSED;
#endif
