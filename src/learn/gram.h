/* The Gram matrix of pairs, as ridge regressions take it: counts, or masses where there are some.
 */
#ifndef LEARN_GRAM_H
#define LEARN_GRAM_H

#include "learn/cooc.h"

#include <float.h>
#include <stdbool.h>

/* Off the diagonal, by entry of the pairs. */
static inline float gram_pair(const struct cooc *c, uint64_t e)
{
    return c->mass ? c->mass[e] : (float)c->count[e];
}

/* On it. */
static inline float gram_item(const struct cooc *c, uint32_t i)
{
    return c->mass ? c->item_mass[i] : (float)c->item_units[i];
}

/* What a lambda meant for counts is multiplied with. */
static inline float gram_scale(const struct cooc *c)
{
    double masses = 0, counts = 0;
    for (uint32_t i = 0; c->mass && i < c->item_count; i++) {
        masses += (double)c->item_mass[i];
        counts += c->item_units[i];
    }
    return masses > 0 ? (float)(masses / counts) : 1;
}

/* Of a Cholesky factor. What is left of a diagonal when all that others tell is taken off may be
 * rounding: then items say the same, lambda is lost beside their counts, and any solution would do.
 */
static inline bool gram_pivot_holds(float root, float diagonal)
{
    return root * root > 64 * FLT_EPSILON * diagonal;
}

#endif
