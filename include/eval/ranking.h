/* A contender's answers to all questions of a split: where each target came, and the best items.
 * Everything measured (eval/metrics.h) is computed from this.
 *
 * The order is total: score descending, orders of the item descending, external id ascending
 * (split.rank); candidates only. So equal scores never depend on how items are numbered, and a
 * question that a contender knows nothing about is answered with popular items. */
#ifndef EVAL_RANKING_H
#define EVAL_RANKING_H

#include "base/progress.h"
#include "eval/contender.h"
#include "learn/cooc.h"

struct placing {
    uint32_t above; /* candidates before it; PLACING_NEVER: it is not in the answer at all */
    uint32_t
        level; /* candidates that share this place, itself included: 1 but for ties left open */
};
#define PLACING_NEVER UINT32_MAX
#define LIST_END      UINT32_MAX

struct ranking_params {
    uint32_t list_length; /* of the lists kept, 1 .. LIMIT_ANSWER_ITEMS */
    bool open_ties; /* targets as good as others share their place: expected values over all orders
                       of the tied, as against the total order */
    /* The knobs of /recommend: scores above 0 are divided by the item's orders to the power
     * `novelty`; then lists are chosen by maximal marginal relevance, likeness being the cosine of
     * `pairs` (not NULL with diversity; not with open_ties). */
    double novelty, diversity;
    const struct cooc *pairs;
    uint32_t threads;
    struct progress *progress;
};

struct ranking {
    uint32_t list_length;
    struct placing *placing; /* [targets of the split] */
    uint32_t *list;          /* [questions x list_length] best first, LIST_END after the last */
    float *answer_us;        /* [questions] scoring and choosing the list */
};

/* The same whatever the threads, but for answer_us. ERR_NOMEM, ERR_CANCELLED. */
int ranking_make(const struct split *split, const struct contender *contender,
                 const struct ranking_params *params, struct ranking *out,
                 struct error *err) WARN_UNUSED;
void ranking_deinit(struct ranking *r);
#endif
