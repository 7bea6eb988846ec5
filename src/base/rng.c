/* See the header. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s, result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Lemire's multiply-and-reject, "Fast Random Integer Generation in an Interval", 2019. */
uint32_t rng_below(struct rng *r, uint32_t bound)
{
    assert(bound >= 1);
    uint64_t product = (rng_u64(r) >> 32) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = -bound % bound;
        while ((uint32_t)product < threshold)
            product = (rng_u64(r) >> 32) * bound;
    }
    return (uint32_t)(product >> 32);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

float rng_unitf(struct rng *r)
{
    return (float)(rng_u64(r) >> 40) * 0x1p-24f;
}

double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_unit(r), v = rng_unit(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* Knuth's product for small means, a rounded normal for large ones. */
uint32_t rng_poisson(struct rng *r, double mean)
{
    assert(mean >= 0);
    if (mean > 60) {
        double x = floor(mean + sqrt(mean) * rng_normal(r) + 0.5);
        return x < 0 ? 0 : x < UINT32_MAX ? (uint32_t)x : UINT32_MAX;
    }
    double limit = exp(-mean), product = rng_unit(r);
    uint32_t count = 0;
    while (product > limit) {
        product *= rng_unit(r);
        count++;
    }
    return count;
}
