/* What fitting shares: its state, and the description of questions by features. */
#ifndef EVAL_FIT_INTERNAL_H
#define EVAL_FIT_INTERNAL_H

#include "base/parallel.h"
#include "eval/fit.h"
#include "learn/sessionknn.h"

enum other {
    HABIT,
    NEIGHBOURS,
    POPULAR,
    RECENT,
    OTHERS
};                       /* features behind those of rows, in this order */
#define POPULAR_NAMED 50 /* items that are candidates of every question */
#define FEATURES_MAX  (RECIPE_INGREDIENTS_MAX + OTHERS)
_Static_assert((int)MATRIX_COUNT <= RECIPE_INGREDIENTS_MAX, "matrices may be features");

struct feature {
    const struct csr *rows;  /* of an ingredient or of a whole matrix; NULL: one of the others */
    enum matrix_kind matrix; /* that the rows are of, or are */
    uint32_t ingredient;     /* of the menu, if it is one's */
};

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
    struct csr *whole;            /* [MATRIX_COUNT] matrices to be weighed; NULL: ingredients are */
    struct sessionknn neighbours; /* of a mix that may weigh them; else without start */
    float *popular, *recent;      /* [items] as shares of the best seller's */
    uint32_t *named;              /* [named_count] the most popular items */
    uint32_t named_count;

    uint32_t features; /* in use, the others the last */
    struct feature feature[FEATURES_MAX];
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

static inline uint32_t fit_other(const struct fit *f, enum other other)
{
    return f->features - OTHERS + other;
}

/* fit_describe.c: the candidates of every question by the features in use, and their scores under
 * the shares in force. */
int fit_describe(struct fit *f, struct error *err) WARN_UNUSED;
void fit_candidates_deinit(struct candidates_of *of);

/* fit_ascend.c: the mean NDCG with feature x's share moved by `step`; and the one reached from the
 * shares in force, which become those it was reached with. */
#define FIT_LEAST_GAIN 2e-4 /* of the mean NDCG: less is noise */
double fit_try(struct fit *f, uint32_t x, float step);
double fit_ascend(struct fit *f, double menu);
uint64_t fit_candidates_estimate_bytes(const struct dataset_shape *train, uint32_t questions,
                                       uint32_t features);
uint64_t fit_tables_estimate_bytes(uint64_t items, uint32_t features, uint32_t threads);

#endif
