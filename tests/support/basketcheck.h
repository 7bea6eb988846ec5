/* Reading baskets held against a slow reader that does one thing after the other; shared by the
 * unit test and the fuzz driver. Anything wrong aborts. */
#ifndef SUPPORT_BASKETCHECK_H
#define SUPPORT_BASKETCHECK_H

#include "base/str.h"

/* True: the text is good, and was read with this many threads as the slow reader does. */
bool basketcheck(struct str text, uint32_t threads);

/* What the fuzz drivers run: the reader; and the readers of sharded lines, of F-lists and of item
 * groups, one of them by the first byte, which give what is in range or an error with a line. */
void fuzzcheck_baskets(const uint8_t *data, size_t size);
void fuzzcheck_shards(const uint8_t *data, size_t size);

#endif
