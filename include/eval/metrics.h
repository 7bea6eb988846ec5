/* What is measured of a ranking. Pure functions, any thread.
 *
 * Per question, from the places of its targets, at a cut-off k:
 *   HR      1 when a target is among the first k
 *   recall  share of the targets among the first k
 *   NDCG    sum over targets among the first k of 1/log2(1 + place), divided by the same of the
 * best order possible, which ends at min(k, targets) MRR     1/place of the first target, 0 beyond
 * k MAP     sum over targets among the first k of the share of targets up to it, divided by min(k,
 * targets) A target that is never answered counts as a miss, an empty list as 0. Ties left open
 * (ranking_params) give the expected value over all orders of the tied: a scorer that knows nothing
 * hits with k/n. */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include "eval/ranking.h"
#include "learn/cooc.h"

enum quality { QUALITY_HR, QUALITY_RECALL, QUALITY_NDCG, QUALITY_MRR, QUALITY_MAP, QUALITY_COUNT };
const char *quality_name(enum quality q); /* "hr", "recall", "ndcg", "mrr", "map" */

/* Of one question: `targets` are the places of its `count` targets (>= 1), reordered. k >= 1. */
double quality_of(enum quality q, uint32_t k, struct placing *targets, uint32_t count);

/* A part of the questions, or of their targets. */
enum segment {
    SEGMENT_ALL,
    SEGMENT_CONTEXT_0, /* items given */
    SEGMENT_CONTEXT_1,
    SEGMENT_CONTEXT_2,
    SEGMENT_CONTEXT_3,
    SEGMENT_CONTEXT_MORE,
    SEGMENT_NEW_SHOPPER, /* somebody or nobody without a history */
    SEGMENT_REPEAT,      /* targets the shopper had before */
    SEGMENT_EXPLORE,     /* targets new to the shopper */
    SEGMENT_RARE,        /* targets with fewer than 5 orders in the training */
    SEGMENT_HEAD,        /* targets among the fewest items that make 80 % of the order lines */
    SEGMENT_TAIL,        /* targets that are not */
    SEGMENT_COUNT
};
const char *segment_name(enum segment s); /* "all", "context_1", … */

/* values[question] for every question; NAN for those without a part in the segment. Lost targets
 * (TARGET_LOST) are in no segment of targets. ERR_NOMEM. */
int quality_values(const struct split *split, const struct ranking *ranking, enum quality q,
                   uint32_t k, enum segment segment, double *values, struct error *err) WARN_UNUSED;

/* Mean of those that are numbers, and how many they are; 0 when there are none. */
double mean_of(const double *values, uint32_t count, uint32_t *numbers);

/* Of the lists as such, their first k items; k <= ranking.list_length. */
struct list_measures {
    double coverage;  /* share of the training's items that are in a list */
    double gini;      /* of the times items are suggested, all items of the training: 0 all alike */
    double novelty;   /* mean of -log2(orders with it / orders) over what is suggested */
    double diversity; /* 1 - mean cosine n_ij/sqrt(n_i n_j) of two in a list; mean over lists */
    double tail_share; /* of what is suggested, outside the split's head_items */
    uint32_t empty;    /* lists without an item */
};
/* `pairs`: of the training's items. ERR_NOMEM. */
int list_measures(const struct split *split, const struct ranking *ranking, uint32_t k,
                  const struct cooc *pairs, uint32_t threads, struct list_measures *out,
                  struct error *err) WARN_UNUSED;

double list_tail_share(const struct split *split, const struct ranking *ranking, uint32_t k);
/* The share of the training's items that are in a list. ERR_NOMEM. */
int list_coverage(const struct split *split, const struct ranking *ranking, uint32_t k, double *out,
                  struct error *err) WARN_UNUSED;

/* The p-quantile (0..1) of answer_us: nearest rank. ERR_NOMEM. */
int answer_quantiles(const struct ranking *ranking, uint32_t questions, const double *p,
                     uint32_t count, double *out, struct error *err) WARN_UNUSED;
#endif
