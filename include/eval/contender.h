/* What is compared: anything that gives each item of a split's training a score for a question.
 * Made by an entrant (eval/entrant.h) or by hand; owns its state. */
#ifndef EVAL_CONTENDER_H
#define EVAL_CONTENDER_H

#include "eval/split.h"

struct contender_cost {
    double train_cpu_s, train_wall_s;
    uint64_t bytes;    /* of what answers */
    uint64_t peak_rss; /* of the process when it was trained */
};

struct contender {
    const char *name; /* static */
    bool baseline;
    void *state;
    /* Fills scores[train.item_count]: the higher the better; -INFINITY or NaN: never answered.
     * Other items are ordered by score, then by the split's rank. `worker` numbers the threads that
     * call at the same time, below PARALLEL_WORKERS_MAX. Context and bought items may get scores:
     * the split says which are no candidates. */
    void (*score)(void *state, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker);
    void (*deinit)(void *state); /* may be NULL */
    struct contender_cost cost;
};
void contender_deinit(struct contender *c);

/* Each of `terms` rows (item -> items, weights of any sign) adds, for the context item t steps from
 * the end, weight_of_term d^t row; stops at d^t < .001. d = 1: order means nothing. */
struct rows_term {
    struct csr rows; /* rows and cols = train.item_count */
    float weight, decay;
};
#define ROWS_TERMS_MAX 4

#define HABIT_HALF_LIFE_S (90 * 24 * 3600)

/* Score = the sum over the terms + prior[item]. Takes the rows and the prior (NULL: none; floats
 * [item_count], from malloc), also on failure. cost.bytes is set. */
int contender_rows(const char *name, struct rows_term *terms, uint32_t term_count, float *prior,
                   struct contender *out, struct error *err) WARN_UNUSED;
/* One score per item, whatever the question. Takes `prior`. */
int contender_prior(const char *name, float *prior, uint32_t item_count, struct contender *out,
                    struct error *err) WARN_UNUSED;
/* Each purchase counts half as much for every half-life it lies before the shopper's last one.
 * Times of the clock. */
int contender_habit(const char *name, const struct dataset *train, struct contender *out,
                    struct error *err) WARN_UNUSED;
/* How often the shopper had it; .999 n_j / (largest n + 1) fills up and breaks ties (GP-TopFreq).
 */
int contender_frequency(const char *name, const struct dataset *train, struct contender *out,
                        struct error *err) WARN_UNUSED;
#endif
