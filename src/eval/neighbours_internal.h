/* Past visits to compare with, as a training has them. */
#ifndef EVAL_NEIGHBOURS_INTERNAL_H
#define EVAL_NEIGHBOURS_INTERNAL_H

#include "eval/split.h"
#include "learn/sessionknn.h"

#define NEIGHBOURS_CONTEXT 100 /* newest items of a visit that are looked at */

/* Of the split's training: its visits, or where sessions are shoppers' orders, its histories;
 * without start where there are none. ERR_NOMEM. */
int split_neighbours(const struct split *split, struct sessionknn *out,
                     struct error *err) WARN_UNUSED;
#endif
