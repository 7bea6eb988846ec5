/* The rows of every ingredient of a recipe for one dataset, before they are added up: what training
 * combines into matrices, and what fitting a recipe weighs against each other (eval/fit.h). */
#ifndef ENGINE_SOURCES_H
#define ENGINE_SOURCES_H

#include "data/histories.h"
#include "data/shape.h"
#include "engine/recipe.h"
#include "learn/cooc.h"
#include "learn/sgns.h"

struct source_params {
    uint32_t keep;                  /* entries of each row; 0: 200 */
    const struct sgns_params *sgns; /* of ingredients of that learner; NULL: none is made */
    bool histories_are_visits; /* each item stands in them at every place, whatever the times */
    uint32_t threads;          /* 0: one per core */
    struct progress *progress;
};

struct sources {
    const struct dataset *d;
    const struct recipe *recipe;
    struct source_params params;
    struct csr rows[RECIPE_INGREDIENTS_MAX]; /* of ingredient x, divided by its scale; without
                                                start: not made */
    uint32_t *after[RECIPE_INGREDIENTS_MAX]; /* sequence: the evidence of its entries */
    struct cooc orders, shoppers;            /* the evidence of the other matrices */
    struct histories histories; /* row u of user u; empty: more than 1000 distinct items */
    struct histories visits;    /* of the events; without start: not made */
    struct embeddings vectors;  /* of sgns; the caller may take them */
};

/* Keeps the pointers. */
void sources_init(struct sources *s, const struct dataset *d, const struct recipe *recipe,
                  const struct source_params *params);
void sources_deinit(struct sources *s); /* may run twice */

/* Makes the rows of the matrix's ingredients with a share above 0, and what they need that is not
 * there yet. Matrices of shoppers stay without when no order has one, that of visits without
 * events. ERR_NOMEM, ERR_CANCELLED, ERR_NOT_FOUND (a library), ERR_INVALID. */
int sources_make(struct sources *s, enum matrix_kind kind, struct error *err) WARN_UNUSED;

/* The matrix as the recipe has it: its ingredients' rows added up, and the evidence of each entry.
 * An entry without evidence, a guess nobody can check, is left out, but of shoppers. Outputs stay
 * empty without rows. */
int sources_combine(const struct sources *s, enum matrix_kind kind, const uint32_t *rank,
                    struct csr *rows, uint32_t **both, struct error *err) WARN_UNUSED;

void sources_drop(struct sources *s, enum matrix_kind kind); /* frees the matrix's rows */

/* Most bytes of the sources of a dataset of such a shape, itself not counted. */
struct sources_estimate {
    uint64_t peak_bytes;     /* while all wanted matrices' rows are made and none are dropped */
    uint64_t held_bytes;     /* then */
    uint64_t combined_bytes; /* beside that: all combined, the last while it is */
};
void sources_estimate(const struct dataset_shape *shape, const struct recipe *recipe,
                      const struct source_params *params, const bool wanted[MATRIX_COUNT],
                      struct sources_estimate *out);

/* The mean over all sales of the largest weight in the sold item's row; 0 for empty rows. */
double rows_scale(const struct csr *rows, const uint32_t *item_orders);
#endif
