/* Leak canaries: data in which there is nothing to learn must show nothing. Where a model still
 * beats popularity, it sees what it should not: the evaluation leaks.
 *
 * shuffled times: every order gets the time and the shopper of another, by chance. What lives on
 * times, order or shoppers must fall to popularity; what is bought together stays.
 * permuted items: the items of all order lines are dealt anew. Everything must fall to popularity.
 *
 * Each canary is itself tried with a planted leak, a contender that is told a third of the answers:
 * a canary that keeps silent then is worth nothing. */
#ifndef EVAL_CANARY_H
#define EVAL_CANARY_H

#include "eval/evaluation.h"

enum canary { CANARY_SHUFFLED_TIMES, CANARY_PERMUTED_ITEMS, CANARY_COUNT };
const char *canary_name(enum canary c); /* "shuffled_times", "permuted_items" */

struct canary_result {
    uint32_t model_count;
    struct {
        const char *name; /* static */
        bool must_fall;
        struct interval gain; /* NDCG at k over popularity, paired, 99.9 % */
        bool fired;           /* must fall, and is above popularity for sure */
    } models[MODELS_MAX];
    struct interval planted_gain;
    bool planted_fired;
    bool passed; /* the planted leak was found, and no other */
};

/* The dataset as the canary wants it; of the seed. ERR_NOMEM. */
int canary_dataset(const struct dataset *d, enum canary c, uint64_t seed, struct dataset *out,
                   struct error *err) WARN_UNUSED;

/* Runs the evaluation's entrants on canary data; as evaluation_run. */
int canary_run(const struct dataset *d, const struct evaluation_params *params, enum canary c,
               struct canary_result *out, struct error *err) WARN_UNUSED;
#endif
