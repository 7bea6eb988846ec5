/* dataset -> model: mine, learn, assemble, seal. Pure computation: no threads but those of
 * base/parallel.h, no files. Step by step with progress, so that the trainer can show and cancel
 * it. */
#ifndef ENGINE_BUILD_H
#define ENGINE_BUILD_H

#include "data/shape.h"
#include "engine/model.h"

struct build_params {         /* zero = default */
    double min_support_share; /* 0: use min_support */
    uint32_t min_support;     /* baskets; both 0: max(5, 0.01 %) */
    uint32_t max_length;      /* of itemsets */
    uint64_t max_itemsets, max_rules;
    double min_confidence, min_lift, max_fisher_p;
    double max_q;                /* of a rule; 0: 0.05; >= 1: not looked at */
    bool redundant_rules;        /* keep rules too that are not productive (mine/rules.h) */
    const struct recipe *recipe; /* NULL: the default; held to recipe_bound */
    uint32_t neighbours;         /* entries kept of every row; 0: 200 */
    struct sgns_params sgns;
    bool without_sgns;
    uint64_t memory_limit_bytes; /* 0: none */
    uint32_t threads;
    struct progress *progress;
};

struct build_step { /* what one step cost; for logs and the report */
    const char *name;
    double wall_s, cpu_s;
    uint64_t bytes; /* of what it made */
    uint64_t count; /* of what it made: itemsets, rules, pairs … */
};
#define BUILD_STEPS_MAX 16
struct build_report {
    struct build_step steps[BUILD_STEPS_MAX];
    uint32_t step_count;
    uint32_t min_support; /* in force */
    bool support_raised;
    uint64_t rules_cut, rules_tested; /* dropped for max_rules; candidates that q counts */
    uint64_t estimate_bytes;          /* build_estimate's peak for this dataset */
};

/* Most bytes each step holds, its result included, and of the finished model. Upper bounds: budgets
 * (itemsets, rules) count in full. */
struct estimate {
    uint64_t dataset_bytes, itemsets_bytes, rules_bytes;
    uint64_t histories_bytes;        /* and the sets of them */
    uint64_t cooc_bytes, rows_bytes; /* of the matrix that needs the most: counts; its rows */
    uint64_t sgns_bytes, model_bytes;
    uint64_t peak_bytes; /* the largest sum alive at one time */
};
/* Only a shape with `pairs` gives a bound; without, order sizes are guessed (data/shape.h). */
void build_estimate(const struct dataset_shape *shape, const struct build_params *params,
                    struct estimate *out);

/* A sealed model; id, created_ms and changes are the caller's to set. Item names: external ids, all
 * different, via `name_of(context, item_key)`, borrowed until its next call. Reads the dataset,
 * does not keep it; equal datasets and parameters give equal models, whatever the threads. `report`
 * may be NULL. ERR_LIMIT: the estimate is over memory_limit_bytes (text has both numbers and what
 * to change); ERR_INVALID: no baskets, or a parameter out of range; ERR_CANCELLED. */
struct model *model_build(const struct dataset *d,
                          struct str (*name_of)(void *context, uint32_t item_key), void *context,
                          const struct build_params *params, struct build_report *report,
                          struct error *err) WARN_UNUSED;
#endif
