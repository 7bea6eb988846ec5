/* The whole of an evaluation: cut, train, ask, measure, compare. Pure computation: no files, no
 * threads but those of base/parallel.h. */
#ifndef EVAL_EVALUATION_H
#define EVAL_EVALUATION_H

#include "eval/compare.h"
#include "eval/curve.h"
#include "eval/entrant.h"
#include "eval/metrics.h"

#define CUTOFFS_MAX 4
#define MODELS_MAX  32

/* Qualities with an interval and compared, at the cut-off k. */
enum tested { TESTED_HR, TESTED_RECALL, TESTED_NDCG, TESTED_COUNT };
enum quality tested_quality(enum tested t);

struct evaluation_params { /* zero = default */
    struct split_params split;
    bool timed;                            /* the dataset's times are of the clock */
    const struct entrant *const *entrants; /* [entrant_count] all different */
    uint32_t entrant_count;
    enum curve curve; /* not CURVE_NONE: the first entrant at the points of the curve, each a model
                         of the result, compared with the first of them */
    uint32_t k;       /* 0: 10; measured beside 5, 10, 20 */
    uint32_t keep;    /* entries of a row of the blend; 0: 200 */
    uint32_t resamples;
    bool open_ties;
    const struct entrant *against; /* what others are compared with, one of the entrants; NULL: the
                                      baseline with the best NDCG */
    uint32_t threads;
    struct progress *progress;
};

struct segment_result {
    uint32_t questions; /* with a part in it */
    double value[TESTED_COUNT];
};

struct model_result {
    const char *name; /* static */
    bool baseline;
    double quality[QUALITY_COUNT][CUTOFFS_MAX];
    double coverage[CUTOFFS_MAX];
    struct list_measures lists; /* at k */
    struct interval interval[TESTED_COUNT];
    struct interval difference[TESTED_COUNT]; /* to `against`; of itself: 0 */
    double adjusted_p[TESTED_COUNT];          /* Holm, over all models but `against` */
    struct segment_result segments[SEGMENT_COUNT];
    struct contender_cost cost;
    double answer_us_p50, answer_us_p99;
};

struct evaluation {
    uint32_t k, resamples, cutoff_count, cutoffs[CUTOFFS_MAX]; /* ascending, k among them */
    struct {
        uint32_t orders, items, shoppers;
        uint64_t lines;
    } data, train; /* data: all that was given */
    uint32_t questions, clusters;
    uint64_t targets, unknown_targets, repeat_targets, seen_baskets, unasked_orders;
    uint32_t model_count, against; /* index */
    struct model_result models[MODELS_MAX];
};

#define CLUSTERS_LEAST 5

/* `out` is plain memory. Errors of splits and learners; ERR_INVALID also: an entrant that does not
 * suit the data, questions of fewer than CLUSTERS_LEAST shoppers or baskets. */
int evaluation_run(const struct dataset *d, const struct evaluation_params *params,
                   struct evaluation *out, struct error *err) WARN_UNUSED;
#endif
