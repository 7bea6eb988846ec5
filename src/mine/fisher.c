/* The tail that does not contain the mode is summed, from its largest term outwards by the ratio of
 * neighbours, until terms no longer matter. Ratios fall along a tail, so the cost is the
 * distribution's width at most, some dozens of terms for a rule worth showing. */
#include "mine/fisher.h"

#include <assert.h>
#include <math.h>

#define COUNT_MAX UINT32_MAX
/* Terms this small relative to the sum cannot change it any more. */
#define NEGLIGIBLE 1e-17
/* From here on four terms of Stirling's series are exact to double. */
#define STIRLING_FROM   16
#define HALF_LN_TWO_PI  0.91893853320467274178
#define QUANTILE_TAIL   0.01
#define QUANTILE_FAVOUR 1e-9 /* what rounding may have added to a tail of exactly 1 % */

static void check_counts(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    assert(n <= COUNT_MAX);
    assert(c <= x && c <= y);
    assert(x + y - c <= n);
}

static double ln_factorial(uint64_t k)
{
    static const double factorials[STIRLING_FROM] = {
        1,     1,      2,       6,        24,        120,        720,         5040,
        40320, 362880, 3628800, 39916800, 479001600, 6227020800, 87178291200, 1307674368000};
    if (k < STIRLING_FROM)
        return log(factorials[k]);
    double x = (double)k, square = x * x;
    return (x + 0.5) * log(x) - x + HALF_LN_TWO_PI +
           (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / (1680 * square)) / square) / square) / x;
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

static uint64_t smallest_count(uint64_t n, uint64_t x, uint64_t y)
{
    return x + y > n ? x + y - n : 0;
}

double fisher_p(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    check_counts(n, x, y, c);
    if (c <= smallest_count(n, x, y))
        return 1;
    double p;
    if (c * n >= x * y)
        p = upper_tail(n, x, y, c);
    else /* P[C < c]: the baskets without X that have Y are then more than y - c */
        p = 1 - upper_tail(n, n - x, y, y - c + 1);
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

double fisher_ln_bound(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    check_counts(n, x, y, c);
    if (c * n <= x * y)
        return 0;
    double seen = (double)c, expected = (double)(x * y) / (double)n;
    return seen - expected - seen * log(seen / expected);
}

uint64_t hypergeometric_q99(uint64_t n, uint64_t x, uint64_t y)
{
    uint64_t low = smallest_count(n, x, y), high = x < y ? x : y;
    check_counts(n, x, y, high);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2; /* P[C > middle] small enough? */
        if (fisher_p(n, x, y, middle + 1) <= QUANTILE_TAIL * (1 + QUANTILE_FAVOUR))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
