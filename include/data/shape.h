/* The size of a training set in the numbers that decide what training costs. Learners estimate
 * their memory from it. */
#ifndef DATA_SHAPE_H
#define DATA_SHAPE_H

#include "data/dataset.h"

struct dataset_shape {
    uint64_t orders, lines, items, users;
    uint64_t events;
    uint64_t pairs;         /* sum over orders of b (b - 1), b distinct items; 0: not known, see
                               dataset_shape_pairs */
    uint64_t shopper_pairs; /* the same of users, b their order lines (distinct items are fewer);
                               0: not known */
};

void dataset_shape_of(const struct dataset *d, struct dataset_shape *out);

/* pairs, or where it is not known five times what equal orders would have: order sizes spread
 * (FIMI retail 1.7 times, UCI Online Retail 4.5 times). */
uint64_t dataset_shape_pairs(const struct dataset_shape *shape);

#endif
