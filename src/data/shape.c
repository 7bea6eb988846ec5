/* One pass over the row starts. */
#include "data/shape.h"

#define SPREAD 5

void dataset_shape_of(const struct dataset *d, struct dataset_shape *out)
{
    *out = (struct dataset_shape){.orders = d->basket_count,
                                  .lines = csr_entries(&d->baskets),
                                  .items = d->item_count,
                                  .users = d->user_count,
                                  .events = sessions_events(&d->sessions)};
    for (uint32_t b = 0; b < d->basket_count; b++) {
        uint64_t size = d->baskets.start[b + 1] - d->baskets.start[b];
        out->pairs += size ? size * (size - 1) : 0;
    }
}

uint64_t dataset_shape_pairs(const struct dataset_shape *shape)
{
    if (shape->pairs || shape->orders == 0 || shape->lines <= shape->orders)
        return shape->pairs;
    double size = (double)shape->lines / (double)shape->orders;
    return (uint64_t)(SPREAD * (double)shape->lines * (size - 1));
}
