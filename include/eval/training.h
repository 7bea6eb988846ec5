/* A dataset made ready for an evaluation: cut for the test and, where somebody wants to choose
 * parameters, for validation, with what learners of such a training share.
 *
 * "Together" is in one basket where a basket is to be completed, else in the history of one
 * shopper. */
#ifndef EVAL_TRAINING_H
#define EVAL_TRAINING_H

#include "base/progress.h"
#include "data/histories.h"
#include "eval/ranking.h"
#include "learn/cooc.h"
#include "learn/popularity.h"

/* What learners of one stage share. */
struct training {
    struct split split;             /* to learn from: split.train */
    const struct training *earlier; /* the validation: to try parameters on; NULL: none */
    struct histories histories;     /* of the shoppers of split.train */
    struct csr sets;                /* their histories as sets */
    const struct csr *units;        /* what "together" means: baskets or sets */
    struct cooc pairs;              /* over the units */
    struct popularity popularity;
    double pairs_cpu_s, pairs_wall_s;
    bool timed;    /* times are of the clock, not only an order */
    uint32_t keep; /* entries of a row of the blend; 0: 200 */
    uint32_t threads;
    uint64_t seed;
    struct progress *progress;
};

struct training_params {
    struct split_params split;
    bool timed;
    bool validation; /* make that too */
    uint32_t keep;
    uint32_t threads;
    struct progress *progress;
};

struct trainings {
    struct training test, valid; /* valid: all zero unless asked for */
};

/* Splits are checked (split_check). Stays where it is: test.earlier points into it. Errors of
 * split_make; ERR_NOMEM, ERR_CANCELLED. */
int trainings_make(const struct dataset *d, const struct training_params *params,
                   struct trainings *out, struct error *err) WARN_UNUSED;
void trainings_deinit(struct trainings *t);

/* Mean NDCG at k of a contender on the questions of its training's split: what parameters are
 * chosen by. ERR_NOMEM, ERR_CANCELLED. */
int training_try(const struct training *t, const struct contender *c, uint32_t k, double *ndcg,
                 struct error *err) WARN_UNUSED;
#endif
