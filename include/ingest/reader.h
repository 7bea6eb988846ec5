/* The one way in: bytes of any supported format, pushed in pieces of any size, come out as records.
 *
 *     bytes -> (gunzip | unzstd) -> NDJSON | JSON array | CSV | FIMI -> clean -> sink
 *
 * Memory is bounded whatever the input's size: one record at a time, and for CSV an external sort
 * that groups the rows of an order wherever they lie in the file (orders then come out at
 * reader_finish, ascending by order id). A bad line never stops the good ones: it is reported and
 * counted. A failure of the whole input (a bomb, bad compression, an unknown format, sink failure)
 * is an error; records already given out stay given out (the caller decides about all-or-nothing).
 * One thread at a time per reader. */
#ifndef INGEST_READER_H
#define INGEST_READER_H

#include "ingest/record.h"

enum reader_format { FORMAT_AUTO, FORMAT_NDJSON, FORMAT_JSON, FORMAT_CSV, FORMAT_FIMI };
enum reader_coding { CODING_AUTO, CODING_IDENTITY, CODING_GZIP, CODING_ZSTD };

struct reader_options { /* zero = default */
    enum reader_format format;
    enum reader_coding coding;   /* AUTO: by magic bytes */
    const char *spool_directory; /* for CSV beyond sort_memory; NULL: /tmp */
    size_t sort_memory;          /* 0: 64 MiB */
    uint64_t max_decompressed;   /* 0: no cap but the ratio (LIMIT_COMPRESSION_RATIO) */
    uint32_t max_ratio;          /* 0: LIMIT_COMPRESSION_RATIO */
    const char *const *maps;   /* "from=to" CSV header maps (csvmap.h), NULL-terminated; or NULL */
    const char *include_items; /* POSIX extended regex an item id must match, or NULL */
    const char *exclude_items; /* … must not match, or NULL */
    const char *source;        /* --source, for FIMI: prefix of made order ids ("NAME:line") */
    int64_t now_ms;            /* for "in the future"; 0: the wall clock */
};

struct reader_sink {
    void *context;
    /* Non-zero stops the reading and is returned by feed/finish (with err set). */
    int (*record)(void *context, const struct record *record, struct error *err);
    void (*problem)(void *context, const struct record_problem *problem); /* may be NULL */
};

struct reader;

/* Copies what it needs of the options. AUTO takes the format from the first
 * line: '[' or an object that goes on in the next line is JSON, another object NDJSON, numbers only
 * FIMI, anything else CSV. A byte order mark is skipped.
 *
 * ERR_INVALID: bad regex, bad map, source missing where the format has no order ids (found later,
 * at the first line, when the format is AUTO). */
struct reader *reader_new(const struct reader_options *options, const struct reader_sink *sink,
                          struct error *err) WARN_UNUSED;
void reader_free(struct reader *r);
int reader_feed(struct reader *r, struct str bytes, struct error *err) WARN_UNUSED;
int reader_finish(struct reader *r, struct error *err) WARN_UNUSED;

/* Counts so far; accepted/replaced/duplicate are left 0 for the caller. */
const struct ingest_counts *reader_counts(const struct reader *r);
enum reader_format reader_format(const struct reader *r); /* AUTO until known */
const char *reader_format_name(enum reader_format format);
bool reader_format_parse(struct str name, enum reader_format *out);

#endif
