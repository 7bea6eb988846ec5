/* Counts are below 2^32, so products of two are exact in 64 bits; only then does it become double.
 *
 * Fisher: the tail that does not contain the mode is summed, from its largest term outwards by the
 * ratio of neighbours, until terms no longer matter. Ratios fall along a tail, so the cost is the
 * distribution's width at most, some dozens of terms for a rule worth showing. */
#include "mine/measures.h"

#include <assert.h>
#include <math.h>

#define COUNT_MAX UINT32_MAX
/* Terms this small relative to the sum cannot change it any more. */
#define NEGLIGIBLE 1e-17

static void check_counts(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    assert(n <= COUNT_MAX);
    assert(c <= x && c <= y);
    assert(x + y - c <= n);
}

void measures_of(uint64_t n, uint64_t x, uint64_t y, uint64_t c, int with_fisher,
                 struct measures *out)
{
    check_counts(n, x, y, c);
    *out = (struct measures){NAN, NAN, NAN, NAN, NAN, NAN};
    if (n == 0)
        return;
    out->support = (double)c / (double)n;
    out->leverage = (double)(int64_t)(c * n - x * y) / ((double)n * (double)n);
    if (x > 0)
        out->confidence = (double)c / (double)x;
    if (x > 0 && y > 0)
        out->lift = (double)(c * n) / (double)(x * y);
    if (x > c)
        out->conviction = (double)(x * (n - y)) / (double)(n * (x - c));
    if (with_fisher)
        out->fisher_p = measures_fisher(n, x, y, c);
}

static double ln_factorial(uint64_t k)
{
    int sign; /* lgamma() itself writes a global */
    return lgamma_r((double)k + 1, &sign);
}

static double ln_choose(uint64_t n, uint64_t k)
{
    return ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
}

/* P[C = k] + P[C = k + 1] + ..., k at or above the mode. */
static double upper_tail(uint64_t n, uint64_t x, uint64_t y, uint64_t k)
{
    double first = exp(ln_choose(x, k) + ln_choose(n - x, y - k) - ln_choose(n, y));
    double term = 1, sum = 1;
    for (; k < x && k < y && term > sum * NEGLIGIBLE; k++) {
        term *= (double)(x - k) * (double)(y - k);
        term /= (double)(k + 1) * (double)(n + k + 1 - x - y);
        sum += term;
    }
    return first * sum;
}

double measures_fisher(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    check_counts(n, x, y, c);
    uint64_t least = x + y > n ? x + y - n : 0;
    if (c <= least)
        return 1;
    double p;
    if (c * n >= x * y)
        p = upper_tail(n, x, y, c);
    else /* P[C < c]: the baskets without X that have Y are then more than y - c */
        p = 1 - upper_tail(n, n - x, y, y - c + 1);
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

double measures_fisher_bound(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    check_counts(n, x, y, c);
    if (c * n <= x * y)
        return 1;
    double seen = (double)c / (double)x, expected = (double)y / (double)n;
    double divergence = seen * log(seen / expected);
    if (c < x)
        divergence += (1 - seen) * log((1 - seen) / (1 - expected));
    return exp(-(double)x * divergence);
}
