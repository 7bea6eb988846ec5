/* Reading baskets held against a slow reader that does one thing after the other; shared by the
 * unit test and the fuzz driver. Anything wrong aborts. */
#ifndef SUPPORT_BASKETCHECK_H
#define SUPPORT_BASKETCHECK_H

#include "base/str.h"

/* True: the text is good, and was read with this many threads as the slow reader does. */
bool basketcheck(struct str text, uint32_t threads);

#endif
