/* gzip or zstd in, bytes out, in bounded memory. The coding is found by the magic bytes or told.
 * Several gzip members or zstd frames one after the other are one stream; zero padding after gzip
 * is ignored. Output beyond `max_bytes`, or more than `max_ratio` times the input (judged beyond
 * LIMIT_COMPRESSION_GRACE), stops it with ERR_TOO_LARGE: a bomb is refused within its first
 * megabytes. */
#ifndef INGEST_DECOMPRESS_H
#define INGEST_DECOMPRESS_H

#include "ingest/reader.h"

struct decompress;

struct decompress_options {
    enum reader_coding coding;
    uint64_t max_bytes; /* 0: no cap */
    uint32_t max_ratio; /* 0: LIMIT_COMPRESSION_RATIO */
    /* Takes the bytes; non-zero (with err set) stops the stream and is returned. */
    int (*out)(void *context, struct str bytes, struct error *err);
    void *context;
};

struct decompress *decompress_new(const struct decompress_options *options,
                                  struct error *err) WARN_UNUSED;
void decompress_free(struct decompress *d);

/* ERR_INVALID: damaged, or not in the coding that was told. */
int decompress_feed(struct decompress *d, struct str bytes, struct error *err) WARN_UNUSED;
/* ERR_INVALID: ends in the middle. */
int decompress_finish(struct decompress *d, struct error *err) WARN_UNUSED;

#endif
