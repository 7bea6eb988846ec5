/* The false discovery rate (Benjamini & Hochberg, Controlling the False Discovery Rate, J. R.
 * Statist. Soc. B 57, 1995): q of the i-th smallest of m p-values is the smallest m p(j)/j for
 * j >= i, at most 1.
 *
 * p-values are counted in bins instead of kept: each is rounded up to the next of 1024 steps
 * between neighbouring powers of two, and to 2^-126 at least. So a q is never below the exact one
 * and at most 1/1024 of it above, for any number of tests in 2 MiB. */
#ifndef MINE_FDR_H
#define MINE_FDR_H

#include "base/error.h"

#include <stdatomic.h>

#define FDR_LEAST    0x1p-126
#define FDR_LN_LEAST (-87.4) /* a little below its logarithm */

struct fdr {
    atomic_uint_fast64_t *tests; /* per bin */
    double *q;                   /* per bin, after fdr_seal */
    uint64_t count;              /* all tests, after fdr_seal */
};

int fdr_init(struct fdr *f, struct error *err) WARN_UNUSED;
void fdr_deinit(struct fdr *f);
void fdr_add(struct fdr *f, double p); /* [0,1]; any number of threads at a time */
void fdr_seal(struct fdr *f);          /* no fdr_add afterwards */
double fdr_q(const struct fdr *f, double p);
/* The largest p whose q is at most max_q; below 0: there is none. */
double fdr_p_limit(const struct fdr *f, double max_q);
#endif
