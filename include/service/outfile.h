/* Text to a file or to standard output. */
#ifndef SERVICE_OUTFILE_H
#define SERVICE_OUTFILE_H

#include "service/laneout.h"

/* `write` fills the output; what it returns is a failure, unless writing itself failed, which then
 * is the cause and is reported instead. `path` NULL: standard output. `bytes` may be NULL. ERR_IO,
 * ERR_FULL, ERR_NOMEM, what `write` returns. */
int outfile_write(const char *path,
                  int (*write)(void *context, struct laneout *out, struct error *err),
                  void *context, uint64_t *bytes, struct error *err) WARN_UNUSED;

#endif
