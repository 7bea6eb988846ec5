/* A small seeded generator with a documented sequence: xoshiro256** seeded by splitmix64 (Blackman
 * and Vigna, 2018). Equal seeds give equal numbers on every machine. Not for secrets: libsodium is.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t bound); /* 0 <= x < bound, unbiased; bound >= 1 */
double rng_unit(struct rng *r);                    /* [0,1), 53 bits */
float rng_unitf(struct rng *r);                    /* [0,1), 24 bits */
double rng_normal(struct rng *r);                  /* mean 0, variance 1 */
/* mean >= 0; above 60 a rounded normal, which is as wide but not as skewed. */
uint32_t rng_poisson(struct rng *r, double mean);

#endif
