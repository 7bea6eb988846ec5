/* How sure a difference is: paired bootstrap over clusters (shoppers, or baskets of nobody), since
 * questions of one shopper are not independent.
 *
 * A resample draws as many clusters as there are, with replacement; each column (a contender's
 * value per question) gets its mean over the questions drawn. All columns see the same draws, so
 * that the difference of two columns in a resample is a paired one (Efron & Tibshirani 1993, ch.
 * 16). Any thread. */
#ifndef EVAL_COMPARE_H
#define EVAL_COMPARE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/progress.h"

#define RESAMPLES_LEAST   100
#define RESAMPLES_DEFAULT 1000

struct resamples {
    uint32_t columns, count;
    double *mean;     /* [columns x count] */
    double *observed; /* [columns] means of all questions */
};

struct resample_params {
    uint32_t count; /* 0: RESAMPLES_DEFAULT */
    uint64_t seed;
    uint32_t threads;
    struct progress *progress;
};

/* values[column][question], finite; cluster[question] < clusters. The same for any number of
 * threads. ERR_NOMEM, ERR_CANCELLED. */
int resamples_make(const double *const *values, uint32_t columns, uint32_t questions,
                   const uint32_t *cluster, uint32_t clusters, const struct resample_params *params,
                   struct resamples *out, struct error *err) WARN_UNUSED;
void resamples_deinit(struct resamples *r);

struct interval {
    double value, low, high;
    double p; /* two-sided, of a value of 0: 2 min(share of resamples at or below, at or above),
                 never below 2/(count + 1) */
};

void interval_json(const struct interval *i, struct buf *out); /* {"value":.1,"low":..,"high":..} */

/* Of one column's mean (column, RESAMPLE_ZERO), or of the difference column - against. The
 * percentile interval of `level` (.95). ERR_NOMEM. */
#define RESAMPLE_ZERO UINT32_MAX
int resamples_interval(const struct resamples *r, uint32_t column, uint32_t against, double level,
                       struct interval *out, struct error *err) WARN_UNUSED;

/* Holm's step-down adjustment of `count` p-values for having looked at all of them. ERR_NOMEM. */
int holm_adjust(const double *p, uint32_t count, double *adjusted, struct error *err) WARN_UNUSED;
#endif
