/* The shared FIMI files (one basket a line, item numbers separated by blanks) as basket matrices.
 */
#ifndef SUPPORT_FIMI_H
#define SUPPORT_FIMI_H

#include "data/csr.h"

#include <stdbool.h>

/* "retail" is ../shared/data/fimi/retail.dat.gz; columns are the file's numbers. False when it is
 * not there: the caller prints "skipped: no shared data". */
bool fimi_read(const char *name, struct csr *out);

#endif
