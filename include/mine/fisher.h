/* Fisher's exact test of a 2x2 table, one-sided, and the hypergeometric distribution behind it: of
 * n baskets x have X and y have Y; when the two do not know of each other, the number C of baskets
 * with both has P[C = k] = (x over k) (n-x over y-k) / (n over y). All need n < 2^32, c <= x, c <=
 * y and x + y - c <= n. Tails are summed in double, relative error 1e-10 for n up to a million,
 * 1e-5 at the limit. Pure; any thread. */
#ifndef MINE_FISHER_H
#define MINE_FISHER_H

#include <stdint.h>

/* P[C >= c]: how often chance alone gives as many. */
double fisher_p(uint64_t n, uint64_t x, uint64_t y, uint64_t c);
/* Never below ln(fisher_p), at the cost of one logarithm: c - m - c ln(c/m), m = x y/n the mean; 0
 * where c is not above it. From exp(-x KL(c/x || y/n)) (Chvatal, The Tail of the Hypergeometric
 * Distribution, 1979), whose second term is at most c - m. */
double fisher_ln_bound(uint64_t n, uint64_t x, uint64_t y, uint64_t c);
/* The smallest k with P[C <= k] >= 0.99, as hyper-lift takes it. */
uint64_t hypergeometric_q99(uint64_t n, uint64_t x, uint64_t y);
#endif
