/* What fitting shares: its state, and the description of questions by features. */
#ifndef EVAL_FIT_INTERNAL_H
#define EVAL_FIT_INTERNAL_H

#include "base/parallel.h"
#include "eval/fit.h"

#define POPULAR      RECIPE_INGREDIENTS_MAX /* features behind the ingredients' */
#define RECENT       (RECIPE_INGREDIENTS_MAX + 1)
#define HABIT        (RECIPE_INGREDIENTS_MAX + 2)
#define OTHERS       3 /* features behind the learners': habit, popular, recent */
#define FEATURES_MAX (RECIPE_INGREDIENTS_MAX + OTHERS)

struct candidates_of { /* one question's */
    uint32_t count, target_count;
    uint32_t *item; /* [count] the targets first */
    float *feature; /* [features x count] */
    float *score;   /* [count] under the shares in force */
};

struct fit {
    const struct split *split;
    const struct recipe *menu;
    enum mix_kind kind;
    struct recipe asked; /* the menu, with everything that is to be made */
    struct sources sources;
    float *popular, *recent; /* [items] as shares of the best seller's */
    uint32_t *named;         /* [named_count] the most popular items */
    uint32_t named_count;

    uint32_t features;                 /* in use, HABIT, POPULAR and RECENT the last */
    uint32_t ingredient[FEATURES_MAX]; /* of a feature: index in the menu, POPULAR or RECENT */
    float share[FEATURES_MAX];
    float decay[MATRIX_COUNT];

    uint32_t question_count, cutoff;
    uint32_t *question; /* [question_count] of the split's */
    struct candidates_of *of;
    double *ndcg;   /* [question_count] */
    uint32_t moved; /* the feature of a trial, and by how much */
    float step;
    bool keep_move;
    struct cursor cursor;
    uint32_t threads;
    struct progress *progress;
    int status[PARALLEL_WORKERS_MAX];
};

/* fit_describe.c: the candidates of every question by the features in use, and their scores under
 * the shares in force. */
int fit_describe(struct fit *f, struct error *err) WARN_UNUSED;
void fit_candidates_deinit(struct candidates_of *of);

#endif
