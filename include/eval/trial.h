/* How well a contender ranks the targets of a split's questions, and nothing else that an
 * evaluation measures: what parameters are chosen and models judged by. Any thread.
 *
 * `params`: NDCGs are at its list_length. All: ERR_NOMEM, ERR_CANCELLED. */
#ifndef EVAL_TRIAL_H
#define EVAL_TRIAL_H

#include "eval/ranking.h"

/* ndcg[question]; NAN for one without a target that can be found. */
int trial_values(const struct split *split, const struct contender *c,
                 const struct ranking_params *params, double *ndcg, struct error *err) WARN_UNUSED;

struct trial {
    double ndcg; /* mean over `questions`; 0 when there are none */
    uint32_t questions;
    double tail_share; /* of all questions' lists (list_tail_share) */
};

/* `odd`: by the questions of odd clusters only; even ones were the fit's (fit_params.half). */
int trial_make(const struct split *split, const struct contender *c,
               const struct ranking_params *params, bool odd, struct trial *out,
               struct error *err) WARN_UNUSED;
#endif
