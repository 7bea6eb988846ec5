/* The target for the long tail: which popularity exponent (`novelty`, engine/recommend.h) makes a
 * contender's lists hold a given share of tail items (split.head_items), on a split's questions.
 * The share rises with the exponent and the NDCG mostly falls, so the smallest exponent that
 * reaches the target is the one to take. Pure computation; any thread. */
#ifndef EVAL_TAIL_H
#define EVAL_TAIL_H

#include "base/buf.h"
#include "eval/ranking.h"

struct tail_fit {
    double target;               /* 0: none was asked for */
    double novelty;              /* 0: reached without; 1: not reached, see share */
    double share_without, share; /* of the first 10 of the lists, at 0 and at `novelty` */
    double ndcg_without, ndcg;   /* at 10 */
};

/* `params`: threads and progress; the rest is set here. ERR_NOMEM, ERR_CANCELLED. */
int tail_fit(const struct split *split, const struct contender *c, double target,
             const struct ranking_params *params, struct tail_fit *out,
             struct error *err) WARN_UNUSED;

/* {"target":.3,"novelty":.21,"share_without":.16,"share":.301,"ndcg_without":.19,"ndcg":.188} */
void tail_json(const struct tail_fit *t, struct buf *out);
#endif
