/* The scores by frequency that next-basket methods are compared with (Li et al., TOIS 2023), in
 * their published forms. */
#ifndef SUPPORT_TOPFREQ_H
#define SUPPORT_TOPFREQ_H

#include "learn/nextbasket.h"

/* G: orders with the item. P: orders of this shopper with it, -1: none. GP: both, this shopper's
 * first: sum over theirs of decay^age + popularity * orders / (most orders + 1), age counting their
 * orders since. */
enum topfreq { TOPFREQ_G, TOPFREQ_P, TOPFREQ_GP };
struct topfreq_params { /* zero = default */
    double decay;       /* of P and GP, (0,1]; 1 */
    double popularity;  /* .999 */
};
void topfreq_scores(enum topfreq kind, const struct topfreq_params *params,
                    const struct history *of, const uint32_t *item_orders, uint32_t item_count,
                    float *score);

#endif
