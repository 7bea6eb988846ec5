/* gzip and zstd for tests. Appending; failures end the test. */
#ifndef SUPPORT_COMPRESSED_H
#define SUPPORT_COMPRESSED_H

#include "base/buf.h"

void compressed_gzip(struct buf *out, struct str bytes);             /* one member */
void compressed_zstd(struct buf *out, struct str bytes, int window); /* one frame; window: log2 */

/* `count` zero bytes: gzip members of at most 64 MiB (count must divide), or one zstd frame. */
void compressed_gzip_zeros(struct buf *out, uint64_t count);
void compressed_zstd_zeros(struct buf *out, uint64_t count);

#endif
