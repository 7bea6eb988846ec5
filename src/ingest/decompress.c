/* A stage of the pipe: bytes are pushed in, output leaves in blocks of at most OUT_BYTES. Both
 * codecs run until the input is used up; the caps are checked after every block, so that a bomb
 * costs no more than the grace. Memory: one block, and the codec's window (32 KiB for gzip; at
 * most 2^LIMIT_ZSTD_WINDOW_LOG for zstd, a stream that asks for more is refused). */
#include "ingest/decompress.h"

#define ZLIB_CONST
#include <assert.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

enum { OUT_BYTES = 64 << 10, MAGIC_BYTES = 4 };

struct decompress {
    struct decompress_options options;
    enum reader_coding coding; /* AUTO until the magic bytes are there */
    unsigned char magic[MAGIC_BYTES];
    size_t magic_len;
    uint64_t in_bytes, out_bytes;
    z_stream gzip;
    bool gzip_ready; /* inflateInit2 was called */
    ZSTD_DStream *zstd;
    bool within;  /* inside a gzip member or zstd frame */
    bool began;   /* the first member or frame has begun */
    bool padding; /* zeros after the last gzip member */
    char *out;    /* OUT_BYTES, once something is compressed */
};

struct decompress *decompress_new(const struct decompress_options *options, struct error *err)
{
    struct decompress *d;
    if (!MEM_ZNEW(d, 1)) {
        error_set(err, ERR_NOMEM, "decompress: out of memory");
        return NULL;
    }
    d->options = *options;
    d->coding = options->coding;
    if (d->options.max_ratio == 0)
        d->options.max_ratio = LIMIT_COMPRESSION_RATIO;
    return d;
}

void decompress_free(struct decompress *d)
{
    if (!d)
        return;
    if (d->gzip_ready)
        inflateEnd(&d->gzip);
    ZSTD_freeDStream(d->zstd);
    free(d->out);
    free(d);
}

static enum reader_coding coding_of(const unsigned char *magic, size_t len)
{
    if (len >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        return CODING_GZIP;
    if (len >= 4 && magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd)
        return CODING_ZSTD;
    if (len >= 4 && (magic[0] & 0xf0) == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d &&
        magic[3] == 0x18)
        return CODING_ZSTD; /* a skippable frame first: pzstd writes them */
    return CODING_IDENTITY;
}

static const char *coding_name(const struct decompress *d)
{
    return d->coding == CODING_GZIP ? "gzip" : "zstd";
}

static int hand_on(struct decompress *d, size_t count, struct error *err)
{
    if (count == 0)
        return 0;
    d->out_bytes += count;
    if (d->options.max_bytes > 0 && d->out_bytes > d->options.max_bytes)
        return error_set(err, ERR_TOO_LARGE, "%s: more than %llu bytes when decompressed",
                         coding_name(d), (unsigned long long)d->options.max_bytes);
    if (d->out_bytes > LIMIT_COMPRESSION_GRACE && d->out_bytes / d->options.max_ratio > d->in_bytes)
        return error_set(err, ERR_TOO_LARGE,
                         "%s: expands more than %u times, which only a bomb does", coding_name(d),
                         d->options.max_ratio);
    return d->options.out(d->options.context, (struct str){d->out, count}, err);
}

static int begin_gzip(struct decompress *d, struct error *err)
{
    int z = d->gzip_ready ? inflateReset(&d->gzip) : inflateInit2(&d->gzip, 15 + 16);
    if (z != Z_OK)
        return error_set(err, ERR_NOMEM, "gzip: out of memory");
    d->gzip_ready = d->within = d->began = true;
    return 0;
}

/* Between members: another one, or padding. */
static int gzip_between(struct decompress *d, struct str *bytes, struct error *err)
{
    bool zero = *bytes->ptr == '\0';
    if (d->began && zero) {
        d->padding = true;
        bytes->ptr++;
        bytes->len--;
        return 0;
    }
    if (d->padding || (d->began && (unsigned char)*bytes->ptr != 0x1f))
        return error_set(err, ERR_INVALID, "gzip: other bytes follow the compressed ones");
    return begin_gzip(d, err);
}

/* One call of the codec: takes bytes off *bytes, hands on one block. *more: output may be waiting
 * though no input is left. */
static int gzip_step(struct decompress *d, struct str *bytes, bool *more, struct error *err)
{
    *more = false;
    if (!d->within) {
        if (bytes->len == 0)
            return 0;
        int rc = gzip_between(d, bytes, err);
        if (rc != 0 || !d->within)
            return rc;
    }
    uInt given = bytes->len > 1u << 30 ? 1u << 30 : (uInt)bytes->len;
    d->gzip.next_in = (const Bytef *)bytes->ptr;
    d->gzip.avail_in = given;
    d->gzip.next_out = (Bytef *)d->out;
    d->gzip.avail_out = OUT_BYTES;
    int z = inflate(&d->gzip, Z_NO_FLUSH);
    if (z == Z_MEM_ERROR)
        return error_set(err, ERR_NOMEM, "gzip: out of memory");
    if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
        return error_set(err, ERR_INVALID, "gzip: %s", d->gzip.msg ? d->gzip.msg : "damaged");
    size_t used = given - d->gzip.avail_in;
    bytes->ptr += used;
    bytes->len -= used;
    d->in_bytes += used;
    d->within = z != Z_STREAM_END;
    *more = d->gzip.avail_out == 0 && d->within;
    return hand_on(d, OUT_BYTES - d->gzip.avail_out, err);
}

static int begin_zstd(struct decompress *d, struct error *err)
{
    d->zstd = ZSTD_createDStream();
    if (!d->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG)))
        return error_set(err, ERR_NOMEM, "zstd: out of memory");
    d->began = true;
    return 0;
}

static int zstd_failed(size_t code, struct error *err)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return error_set(
            err, ERR_TOO_LARGE,
            "zstd: needs a window above %u MiB; compress again without --long, --ultra",
            (1u << LIMIT_ZSTD_WINDOW_LOG) >> 20);
    case ZSTD_error_memory_allocation:
        return error_set(err, ERR_NOMEM, "zstd: out of memory");
    default:
        return error_set(err, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(code));
    }
}

static int zstd_step(struct decompress *d, struct str *bytes, bool *more, struct error *err)
{
    *more = false;
    if (!d->began) {
        int rc = begin_zstd(d, err);
        if (rc != 0)
            return rc;
    }
    ZSTD_inBuffer in = {bytes->ptr, bytes->len, 0};
    ZSTD_outBuffer out = {d->out, OUT_BYTES, 0};
    if (in.size == 0 && !d->within)
        return 0;
    size_t hint = ZSTD_decompressStream(d->zstd, &out, &in);
    if (ZSTD_isError(hint))
        return zstd_failed(hint, err);
    bytes->ptr += in.pos;
    bytes->len -= in.pos;
    d->in_bytes += in.pos;
    d->within = hint != 0;
    *more = out.pos == OUT_BYTES && d->within;
    return hand_on(d, out.pos, err);
}

static int pump(struct decompress *d, struct str bytes, struct error *err)
{
    int rc = 0;
    if (bytes.len == 0)
        return 0;
    if (d->coding == CODING_IDENTITY)
        return d->options.out(d->options.context, bytes, err);
    if (!d->out && !MEM_NEW(d->out, OUT_BYTES))
        return error_set(err, ERR_NOMEM, "%s: out of memory", coding_name(d));
    for (bool more = false; rc == 0 && (bytes.len > 0 || more);)
        rc = d->coding == CODING_GZIP ? gzip_step(d, &bytes, &more, err)
                                      : zstd_step(d, &bytes, &more, err);
    return rc;
}

/* Decides on the coding and passes on the bytes that were held back for it. */
static int settle(struct decompress *d, struct error *err)
{
    d->coding = coding_of(d->magic, d->magic_len);
    return pump(d, (struct str){(const char *)d->magic, d->magic_len}, err);
}

int decompress_feed(struct decompress *d, struct str bytes, struct error *err)
{
    while (d->coding == CODING_AUTO && bytes.len > 0) {
        assert(d->magic_len < MAGIC_BYTES);
        d->magic[d->magic_len++] = (unsigned char)*bytes.ptr++;
        bytes.len--;
        if (d->magic_len == MAGIC_BYTES) {
            int rc = settle(d, err);
            if (rc != 0)
                return rc;
        }
    }
    return pump(d, bytes, err);
}

int decompress_finish(struct decompress *d, struct error *err)
{
    if (d->coding == CODING_AUTO) {
        int rc = settle(d, err);
        if (rc != 0)
            return rc;
    }
    if (d->coding != CODING_IDENTITY && (d->within || !d->began))
        return error_set(err, ERR_INVALID, "%s: ends in the middle", coding_name(d));
    return 0;
}
