/* Measures of a rule X -> Y from four counts: n baskets, x with X, y with Y, c with both; x' = n -
 * x, y' = n - y. Undefined values are NAN here and null outside, never infinite.
 *
 *   support           c/n                                  Agrawal, Imielinski, Swami 1993
 *   confidence        c/x                                  the same
 *   lift              n c/(x y)                            Brin et al. 1997
 *   leverage          c/n - x y/n^2                        Piatetsky-Shapiro 1991
 *   conviction        x y'/(n (x-c))                       Brin et al. 1997
 *   cosine            c/sqrt(x y)                          Tan, Kumar, Srivastava 2004
 *   jaccard           c/(x+y-c)                            Jaccard 1912
 *   kulczynski        (c/x + c/y)/2                        Wu, Chen, Han 2010
 *   imbalance         |x-y|/(x+y-c)                        Wu, Chen, Han 2010
 *   chi_squared       n (n c - x y)^2/(x y x' y')          Pearson 1900; no Yates correction
 *   odds_ratio        c (n-x-y+c)/((x-c) (y-c))            Tan, Kumar, Srivastava 2004
 *   certainty         (c/x - y/n)/(y'/n)                   Loevinger 1947; as in arules. Berzal et
 * al. 2002 divide negative values by y/n zhang             (n c - x y)/max(c x', x (y-c)) Zhang
 * 2000 added_value       c/x - y/n                            Sahar 2003 hyper_lift        c/k, k
 * the 99 % quantile of C        Hahsler, Hornik 2007 hyper_confidence  P[C < c] = 1 - fisher_p
 * Hahsler, Hornik 2007 fisher_p          P[C >= c], see fisher.h              Fisher 1934; Hahsler,
 * Hornik 2007 confidence_low    lower end of the 95 % interval of    Wilson 1927, without
 * continuity the confidence, see wilson_low       correction
 *
 * All but the last are described in Hahsler, "A Probabilistic Comparison of Commonly Used Interest
 * Measures for Association Rules". Pure; any thread. */
#ifndef MINE_MEASURES_H
#define MINE_MEASURES_H

#include "base/str.h"

enum measure {
    MEASURE_SUPPORT,
    MEASURE_CONFIDENCE,
    MEASURE_LIFT,
    MEASURE_LEVERAGE,
    MEASURE_CONVICTION,
    MEASURE_COSINE,
    MEASURE_JACCARD,
    MEASURE_KULCZYNSKI,
    MEASURE_IMBALANCE,
    MEASURE_CHI_SQUARED,
    MEASURE_ODDS_RATIO,
    MEASURE_CERTAINTY,
    MEASURE_ZHANG,
    MEASURE_ADDED_VALUE,
    MEASURE_HYPER_LIFT,
    MEASURE_HYPER_CONFIDENCE,
    MEASURE_FISHER_P,
    MEASURE_CONFIDENCE_LOW,
    MEASURE_COUNT
};

/* c <= x, c <= y, x + y - c <= n < 2^32. */
struct counts {
    uint64_t n, x, y, c;
};

const char *measure_name(enum measure m); /* as in the table above */
int measure_parse(struct str name);       /* an enum measure; -1: unknown */

double measure_of(enum measure m, const struct counts *t);

/* What rules are ranked by: the larger, the better. The measure itself, but fisher_p negated;
 * +INFINITY where the measure grows beyond all bounds (conviction at confidence 1), -INFINITY where
 * it means nothing. */
double measure_rank(enum measure m, const struct counts *t);

/* No rule that at most `count` of `n` baskets hold ranks above this; +INFINITY: not known. Known of
 * support, leverage (at most c/n - c^2/n^2), hyper_confidence, fisher_p and confidence_low (all at
 * their best with x = y = c). */
double measure_rank_bound(enum measure m, uint64_t n, uint64_t count);

/* Lower end of Wilson's 95 % interval (z = 1.959964) of the share hits/trials, in [0,1):
 * (p + z^2/2n - z sqrt(p(1-p)/n + z^2/4n^2))/(1 + z^2/n). NAN without trials. */
double wilson_low(uint64_t hits, uint64_t trials);
#endif
