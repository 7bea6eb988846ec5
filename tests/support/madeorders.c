#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/madeorders.h"

struct dataset made_orders(const struct made_params *params, uint64_t seed)
{
    struct dataset d;
    struct rng rng;
    uint32_t keys[64];
    assert_true(params->largest <= 64);
    rng_seed(&rng, seed);
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t o = 0; o < params->orders; o++) {
        uint32_t count = 1 + rng_below(&rng, params->largest);
        for (uint32_t k = 0; k < count; k++)
            keys[k] = 1 + rng_below(&rng, 1 + rng_below(&rng, params->items));
        int64_t time_ms = params->moments ? (int64_t)rng_below(&rng, params->moments) : (int64_t)o;
        uint64_t user = params->shoppers ? rng_below(&rng, params->shoppers + 1) : 0;
        assert_int_equal(dataset_add(&d, time_ms, user, keys, count, NULL), 0);
    }
    assert_int_equal(dataset_finish(&d, NULL), 0);
    return d;
}
