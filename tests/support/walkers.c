#include "support/walkers.h"

#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS    60000
#define FOLLOWS_OF_8 6

static void check(int rc)
{
    if (rc == 0)
        return;
    fputs("walkers: out of memory\n", stderr);
    abort();
}

static void walk(const struct walkers *w, uint32_t shopper, struct rng *rng, uint32_t *out)
{
    uint32_t at = rng_below(rng, w->items);
    for (uint32_t s = 0; s < w->steps; s++) {
        out[s] = at + 1;
        if (w->back_to && s % w->back_to == 0)
            out[s] = 1 + shopper * 7 % w->items;
        at = rng_below(rng, 8) < FOLLOWS_OF_8 ? (at + 1) % w->items : rng_below(rng, w->items);
    }
    for (uint32_t s = w->steps; w->shuffled && s > 1; s--) {
        uint32_t other = rng_below(rng, s), item = out[s - 1];
        out[s - 1] = out[other];
        out[other] = item;
    }
}

/* Shoppers take turns, so that a cut by time cuts every history. */
struct dataset walkers_make(const struct walkers *w, uint64_t seed)
{
    struct dataset d;
    struct rng rng;
    uint32_t *items = calloc((size_t)w->shoppers * w->steps, sizeof *items);
    check(items ? 0 : -1);
    rng_seed(&rng, seed);
    check(dataset_init(&d, NULL, NULL));
    for (uint32_t u = 0; u < w->shoppers; u++)
        walk(w, u, &rng, items + (size_t)u * w->steps);
    for (uint32_t s = 0; s < w->steps; s++)
        for (uint32_t u = 0; u < w->shoppers; u++)
            check(dataset_add(&d, (int64_t)(s * w->shoppers + u + 1) * MINUTE_MS, u + 1,
                              &items[(size_t)u * w->steps + s], 1, NULL));
    check(dataset_finish(&d, NULL));
    free(items);
    return d;
}
