/* The learners an evaluation knows by name: each makes a contender of a split's training.
 *
 * "Together" is in one basket where a basket is to be completed, else in the history of one
 * shopper. New learners are a line in the table of src/eval/learner.c. */
#ifndef EVAL_LEARNER_H
#define EVAL_LEARNER_H

#include "base/progress.h"
#include "data/histories.h"
#include "eval/contender.h"
#include "learn/cooc.h"
#include "learn/popularity.h"

/* What learners share, made once. Borrows the splits. */
struct training {
    const struct split *split; /* to learn from: split->train */
    const struct split *valid; /* the earlier stage of the same data, for choosing parameters; NULL:
                                  none */
    struct histories histories; /* of the shoppers of split->train */
    struct csr sets;            /* their histories as sets */
    const struct csr *units;    /* what "together" means: baskets or sets */
    struct cooc pairs;          /* over the units */
    struct popularity popularity;
    double pairs_cpu_s, pairs_wall_s;
    bool timed; /* times are of the clock, not only an order */
    uint32_t threads;
    uint64_t seed;
    struct progress *progress;
};

struct training_params {
    bool timed;
    uint32_t threads;
    uint64_t seed;
    struct progress *progress;
};

/* ERR_NOMEM, ERR_CANCELLED. */
int training_make(const struct split *split, const struct split *valid,
                  const struct training_params *params, struct training *out,
                  struct error *err) WARN_UNUSED;
void training_deinit(struct training *t);

struct learner {
    const char *name, *about;
    bool baseline;     /* always shown beside others */
    bool needs_times;  /* of the clock */
    bool needs_past;   /* shoppers with histories */
    bool needs_valid;  /* chooses parameters on the validation */
    bool counts_pairs; /* its cost includes counting them */
    int (*train)(const struct training *t, struct contender *out, struct error *err);
};

const struct learner *learner_list(uint32_t *count);
const struct learner *learner_find(struct str name); /* NULL: unknown */
/* Why it cannot be asked for such data; NULL: it can. Static string. */
const char *learner_problem(const struct learner *l, const struct split_params *split, bool timed,
                            bool shoppers);

/* Trains, with what it cost noted. ERR_NOMEM, ERR_CANCELLED, what the learner says. */
int learner_train(const struct learner *l, const struct training *t, struct contender *out,
                  struct error *err) WARN_UNUSED;
#endif
