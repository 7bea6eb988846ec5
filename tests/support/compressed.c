#define ZLIB_CONST
#include "support/compressed.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

static void gzip(struct buf *out, const char *bytes, size_t block, uint64_t count)
{
    z_stream z = {0};
    char room[4096];
    int rc = deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    assert(rc == Z_OK);
    do {
        z.next_in = (const Bytef *)bytes;
        z.avail_in = (uInt)(count < block ? count : block);
        count -= z.avail_in;
        do {
            z.next_out = (Bytef *)room;
            z.avail_out = sizeof room;
            rc = deflate(&z, count > 0 ? Z_NO_FLUSH : Z_FINISH);
            assert(rc != Z_STREAM_ERROR);
            buf_add(out, room, sizeof room - z.avail_out);
        } while (z.avail_out == 0);
    } while (count > 0);
    deflateEnd(&z);
    assert(!out->failed);
}

static void zstd(struct buf *out, const char *bytes, size_t block, uint64_t count, int window)
{
    ZSTD_CStream *z = ZSTD_createCStream();
    char room[4096];
    assert(z);
    if (window > 0) {
        size_t set = ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window);
        assert(!ZSTD_isError(set));
    }
    do {
        ZSTD_inBuffer in = {bytes, count < block ? count : block, 0};
        count -= in.size;
        size_t left;
        do {
            ZSTD_outBuffer o = {room, sizeof room, 0};
            left = ZSTD_compressStream2(z, &o, &in, count > 0 ? ZSTD_e_continue : ZSTD_e_end);
            assert(!ZSTD_isError(left));
            buf_add(out, room, o.pos);
        } while (count > 0 ? in.pos < in.size : left > 0);
    } while (count > 0);
    ZSTD_freeCStream(z);
    assert(!out->failed);
}

void compressed_gzip(struct buf *out, struct str bytes)
{
    gzip(out, bytes.ptr, bytes.len, bytes.len);
}

void compressed_zstd(struct buf *out, struct str bytes, int window)
{
    zstd(out, bytes.ptr, bytes.len, bytes.len, window);
}

void compressed_gzip_zeros(struct buf *out, uint64_t count)
{
    static const char zeros[1 << 16];
    const uint64_t member = 64 << 20;
    size_t from = out->len;
    gzip(out, zeros, sizeof zeros, count < member ? count : member);
    size_t len = out->len - from;
    for (assert(count <= member || count % member == 0); count > member; count -= member) {
        char *to = buf_reserve(out, len);
        assert(to);
        memcpy(to, out->ptr + from, len);
        out->len += len;
    }
}

void compressed_zstd_zeros(struct buf *out, uint64_t count)
{
    static const char zeros[1 << 16];
    zstd(out, zeros, sizeof zeros, count, 0);
}
