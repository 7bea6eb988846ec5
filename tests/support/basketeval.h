/* Basket completion: hide an item of an order, ask with the others, see whether it comes back.
 * Protocol: orders with at least 2 items the model knows; up to 3 of them at random are hidden, one
 * at a time; the context is all others, or at most `context_max` random ones of them. The whole
 * catalogue is ranked. Equal seeds ask equal questions. */
#ifndef SUPPORT_BASKETEVAL_H
#define SUPPORT_BASKETEVAL_H

#include "engine/recommend.h"
#include "support/retail.h"

#define BASKETEVAL_ALL UINT32_MAX

struct basketeval {
    uint32_t questions, orders;
    double hit_rate, ndcg; /* of the first 10 */
    double coverage;       /* share of the model's items in any answer */
    double mean_us;        /* of an answer, explained */
    double rules;          /* share of suggestions explained by a rule */
};

void basketeval_run(const struct retail *r, const struct model *m, size_t begin, size_t end,
                    uint32_t context_max, struct basketeval *out);

#endif
