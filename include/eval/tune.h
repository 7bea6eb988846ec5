/* Tuning: a search for a better menu, what training's fit chooses its recipe from: neighbours and
 * lambda of the ridges, the counts that pairs need, reach and powers of the sequential rules,
 * ranks, the decay of habit; and now and then a learner that the usual menu does without.
 *
 * Successive halving (Jamieson & Talwalkar 2016) over a seeded random space: many menus are tried
 * on the newest share of the older orders, the best third of each rung goes on to three times as
 * many orders, the last rung sees all. A try is what training would do: fit the recipe on some
 * held-back questions, rank the targets of others. The usual menu is among the tries, and the
 * winner is compared with it once more on the newest orders, which no rung has seen (paired
 * bootstrap). Pure computation; the same for a seed whatever the threads, but for where a deadline
 * stops it. */
#ifndef EVAL_TUNE_H
#define EVAL_TUNE_H

#include "data/shape.h"
#include "engine/recipe.h"
#include "eval/compare.h"
#include "eval/split.h"

#define TUNE_SPACE     3 /* raised when draws come to mean something else */
#define TUNE_RUNGS     3
#define TUNE_TRIES_MAX 243

struct tune_try {
    uint32_t number; /* 0: the usual menu; else which draw from the space */
    uint32_t rung;
    uint32_t orders, questions; /* learnt from; judged by */
    double ndcg;
    double seconds;
};

struct tune_params {   /* zero = default */
    enum mix_kind mix; /* MIX_BASKET or MIX_PERSONAL */
    uint32_t tries;    /* of the first rung; 0: 27 */
    uint32_t keep;     /* entries of a row; 0: 200 */
    uint64_t seed;
    uint64_t deadline_ns; /* clock_mono_ns when no further try begins; 0: none */
    uint32_t threads;
    struct progress *progress;
    /* Results of an earlier run with the same data and seed, tried no more; and who is told of each
     * new one (NULL: nobody; an error ends the search). */
    const struct tune_try *done;
    uint32_t done_count;
    int (*tried)(void *context, const struct tune_try *t, struct error *err);
    void *context;
};

struct tuned {
    struct recipe menu; /* of the winner */
    uint32_t number;    /* its draw; 0: the usual menu, nothing was better */
    uint32_t tries;     /* made now */
    bool complete;      /* else the deadline came first */
    bool adopted;       /* better than the usual menu by more than chance */
    uint32_t questions; /* of the comparison */
    double ndcg_usual, ndcg_tuned;
    struct interval difference;
};

/* ERR_INVALID: too few orders to cut three times (the text says); ERR_NOMEM, ERR_CANCELLED, what
 * learners and `tried` say. */
int tune(const struct dataset *d, const struct tune_params *params, struct tuned *out,
         struct error *err) WARN_UNUSED;

/* Most bytes that the search of a dataset of such a shape holds beside it, whatever it draws. */
uint64_t tune_estimate_bytes(const struct dataset_shape *shape, const struct tune_params *params);

/* Draw `number` of the space for a shop of so many items; 0: recipe_menu. */
void tune_menu(uint64_t seed, uint32_t number, uint32_t items, struct recipe *out);
#endif
