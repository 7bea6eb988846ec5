/* Measures of a rule X -> Y from four counts: n baskets, x with X, y with Y, c with both. Undefined
 * values are NAN here and null outside. Sources: Hahsler, "A Probabilistic Comparison of Commonly
 * Used Interest Measures for Association Rules"; Fisher: one-sided, P[C >= c], C hypergeometric(n,
 * x, y), tail summed in double through log-gamma. Pure; any thread. */
#ifndef MINE_MEASURES_H
#define MINE_MEASURES_H

#include <stdint.h>

struct measures {
    double support;    /* c/n */
    double confidence; /* c/x */
    double lift;       /* c n/(x y) */
    double leverage;   /* c/n - x y/n² */
    double conviction; /* x (n-y)/(n (x-c)); NAN at confidence 1 */
    double fisher_p;   /* NAN when not asked for */
};

/* Needs c <= x, c <= y, x + y - c <= n. with_fisher: 0 leaves fisher_p NAN (it costs microseconds).
 */
void measures_of(uint64_t n, uint64_t x, uint64_t y, uint64_t c, int with_fisher,
                 struct measures *out);
double measures_fisher(uint64_t n, uint64_t x, uint64_t y, uint64_t c);
/* Never below measures_fisher, at the cost of two logarithms: exp(-x KL(c/x || y/n)) (Chvatal, The
 * Tail of the Hypergeometric Distribution, 1979). 1 where c is not above the mean. */
double measures_fisher_bound(uint64_t n, uint64_t x, uint64_t y, uint64_t c);
#endif
