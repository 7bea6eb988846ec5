/* Item vectors as a contender: every item is scored, where rows would keep the best of each. Slow
 * beside rows; for knowing what the rows lose, and for learners without rows. */
#ifndef EVAL_CONTENDER_VECTORS_H
#define EVAL_CONTENDER_VECTORS_H

#include "eval/contender.h"
#include "learn/ials.h"

/* Score of j = (sum over the context items, t steps from the end, of decay^t in_i) · out_j. Takes
 * the vectors, also on failure. ERR_NOMEM. */
int contender_vectors(const char *name, struct embeddings *vectors, float decay,
                      struct contender *out, struct error *err) WARN_UNUSED;
/* The context is folded in as a new unit. For questions of `split` and so many threads. Takes the
 * vectors, also on failure. ERR_NOMEM. */
int contender_ials(const char *name, struct ials *ials, const struct split *split, uint32_t threads,
                   struct contender *out, struct error *err) WARN_UNUSED;
#endif
