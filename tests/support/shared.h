/* The data beside the project, ../shared/data, which is not part of it. */
#ifndef SUPPORT_SHARED_H
#define SUPPORT_SHARED_H

#include "base/buf.h"

/* Appends the file's bytes; false: not there (the caller prints "skipped: no shared data"). */
bool shared_read(const char *name, struct buf *out);
/* The same, unpacked when it is gzip. */
bool shared_unpack(const char *name, struct buf *out);

#endif
