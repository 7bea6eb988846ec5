/* FIMI text files (one basket a line, item numbers separated by blanks; gzip or plain) as basket
 * matrices, for tests and benchmarks. */
#ifndef SUPPORT_FIMI_H
#define SUPPORT_FIMI_H

#include "data/csr.h"

#include <stdbool.h>

/* Where the shared data lies, "" when it is not there: prints "skipped: no shared data" then. */
const char *shared_data(void);

/* Columns are the file's numbers. False when the file cannot be read. */
bool fimi_read(const char *path, struct csr *out);

#endif
