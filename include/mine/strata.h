/* Does a rule hold among baskets of like size? Large baskets hold more of everything, so two items
 * that have nothing to do with each other still meet more often than chance gives: basket size is
 * the confounder. The Mantel-Haenszel odds ratio compares within strata and puts those together.
 *
 * Per stratum with the cells a (X and Y), b (X alone), c (Y alone), d (neither), n = a+b+c+d, with
 * R = ad/n, S = bc/n, P = (a+d)/n, Q = (b+c)/n:
 *
 *   odds ratio   sum R / sum S                       Mantel, Haenszel 1959
 *   var ln OR    sum PR/(2 (sum R)^2) + sum(PS+QR)/(2 sum R sum S) + sum QS/(2 (sum S)^2)
 *                                                    Robins, Breslow, Greenland 1986
 *   low, high    OR exp(-+1.959964 sqrt(var))
 *   chi_squared  max(0, |sum(a-E)| - 1/2)^2 / sum V  Cochran, Mantel, Haenszel; 1 degree of freedom
 *   uncorrected  (sum(a-E))^2 / sum V                E = (a+b)(a+c)/n,
 *                                                    V = (a+b)(c+d)(a+c)(b+d)/(n^2 (n-1))
 *   crude        the odds ratio of the sum of all tables
 *
 * Undefined values are NAN here and null outside, never infinite. Any thread. */
#ifndef MINE_STRATA_H
#define MINE_STRATA_H

#include "data/csr.h"
#include "mine/measures.h"

struct adjusted {
    double odds_ratio, log_variance, low, high;
    double chi_squared, uncorrected;
    double crude;
};

/* `strata` are the tables of a rule in each of them; the empty ones count for nothing. */
void strata_adjust(const struct counts *strata, uint32_t count, struct adjusted *out);

/* Bins of basket size: 1, 2, 3, 4, 5-6, 7-9, 10-14, 15-24, 25-49, 50 and more items. */
#define SIZE_BINS 10
uint32_t size_bin(uint64_t items);

/* The transpose of a basket matrix, and each basket's stratum. */
struct strata {
    uint32_t count, basket_count;
    uint32_t *stratum; /* [basket_count] below `count` */
    struct csr by_item;
    uint32_t *size; /* [count] baskets of each */
};

/* `stratum_of` [baskets->rows], below `count`; NULL: by size, `count` is not looked at. ERR_NOMEM,
 * ERR_INVALID: a stratum out of range. */
int strata_build(const struct csr *baskets, const uint32_t *stratum_of, uint32_t count,
                 struct strata *out, struct error *err) WARN_UNUSED;
void strata_deinit(struct strata *s);

/* The tables of X -> Y, items ascending, into `out` [s->count]: one pass over the baskets of each
 * side's rarest item. */
struct item_list {
    const uint32_t *items;
    uint32_t count;
};
int strata_count(const struct strata *s, struct item_list x, struct item_list y, struct counts *out,
                 struct error *err) WARN_UNUSED;
#endif
