/* All bytes of a file or of standard input in memory: a plain file is mapped, a stream is read,
 * gzip and zstd (by their magic bytes) are unpacked with the usual cap on the ratio. A mapped file
 * must not be cut short meanwhile. One thread at a time. */
#ifndef SERVICE_TEXTFILE_H
#define SERVICE_TEXTFILE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/progress.h"

struct textfile {
    struct str text;
    void *map; /* or NULL: the text is in `read` */
    size_t map_bytes;
    struct buf read;
};

/* `path` "-": standard input. ERR_IO and ERR_NOT_FOUND name the file; ERR_INVALID, ERR_TOO_LARGE:
 * bad compression; ERR_CANCELLED. */
int textfile_open(const char *path, struct progress *progress, struct textfile *out,
                  struct error *err) WARN_UNUSED;
/* After its text was read with the result rc and what `why` says: closes it and gives rc back, the
 * error with the file's name and the line. */
int textfile_done(struct textfile *f, const char *path, int rc, const struct error *why,
                  struct error *err);
void textfile_close(struct textfile *f); /* may run twice */

#endif
