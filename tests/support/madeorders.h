/* Small random shops for tests of what reads datasets. */
#ifndef TESTS_SUPPORT_MADEORDERS_H
#define TESTS_SUPPORT_MADEORDERS_H

#include "data/dataset.h"

struct made_params {
    uint32_t orders, items, shoppers; /* shoppers 0: nobody's orders */
    uint32_t largest;                 /* items in an order at most */
    uint32_t moments;                 /* different times; 0: one each */
};

/* Popular items are those with low keys; some orders are nobody's. */
struct dataset made_orders(const struct made_params *params, uint64_t seed);

#endif
