/* One pass over the row starts. */
#include "data/shape.h"

#include "base/mem.h"

#include <stdlib.h>

#define SPREAD 5

/* 0 when there is no memory to count them. */
static uint64_t shopper_pairs(const struct dataset *d)
{
    uint64_t *lines, pairs = 0;
    if (d->user_count == 0 || !MEM_ZNEW(lines, d->user_count))
        return 0;
    for (uint32_t b = 0; b < d->basket_count; b++)
        if (d->user[b] != DATASET_NO_USER)
            lines[d->user[b]] += d->baskets.start[b + 1] - d->baskets.start[b];
    for (uint32_t u = 0; u < d->user_count; u++)
        pairs += lines[u] ? lines[u] * (lines[u] - 1) : 0;
    free(lines);
    return pairs;
}

void dataset_shape_of(const struct dataset *d, struct dataset_shape *out)
{
    *out = (struct dataset_shape){.orders = d->basket_count,
                                  .lines = csr_entries(&d->baskets),
                                  .items = d->item_count,
                                  .users = d->user_count,
                                  .events = sessions_events(&d->sessions),
                                  .shopper_pairs = shopper_pairs(d)};
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
