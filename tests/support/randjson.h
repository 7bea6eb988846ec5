/* Random JSON text from a seed: well-formed values, and mutations of a text that usually are not.
 */
#ifndef SUPPORT_RANDJSON_H
#define SUPPORT_RANDJSON_H

#include "base/buf.h"
#include "base/rng.h"

void randjson_value(struct rng *rng, struct buf *out, unsigned depth);
void randjson_string(struct rng *rng, struct buf *out); /* with escapes and UTF-8 */
void randjson_blanks(struct rng *rng, struct buf *out);
void randjson_mutate(struct rng *rng, struct buf *text); /* a few bytes changed, cut or doubled */

/* An order, item, event or cancel, valid unless unlucky. */
void randjson_record(struct rng *rng, struct buf *out);

#endif
