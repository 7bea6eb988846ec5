/* What a mix of matrices answers, as a contender: of a recipe in trial, or of a model that serves.
 */
#ifndef EVAL_CONTENDER_MIX_H
#define EVAL_CONTENDER_MIX_H

#include "engine/model.h"
#include "eval/contender.h"

/* Matrices over the split's own items; rows without `start`: none. Takes rows and prior (floats
 * [items]; NULL: none), also on failure. ERR_NOMEM. */
int contender_mix(const char *name, const struct mix *mix, struct csr rows[MATRIX_COUNT],
                  float *prior, struct contender *out, struct error *err) WARN_UNUSED;

/* Gives back the rows that one of contender_mix or contender_fitted took; what is left of it may
 * only be deinitialized. */
void contender_mix_rows(struct contender *c, struct csr rows[MATRIX_COUNT]);

/* What a recipe's mix answers over rows of the split's training: its prior is made of the
 * training's popularity, its neighbours of the training's visits, asked by so many threads. Takes
 * the rows, also on failure. ERR_NOMEM. */
int contender_fitted(const char *name, const struct split *split, const struct mix *mix,
                     struct csr rows[MATRIX_COUNT], uint32_t threads, struct contender *out,
                     struct error *err) WARN_UNUSED;

/* A model's own answers to a split's questions: items are matched by the store's keys, and one that
 * the model does not know is never answered. Keeps a reference on the model. ERR_NOMEM. */
int contender_model(const char *name, struct model *m, enum mix_kind kind,
                    const struct split *split, uint32_t threads, struct contender *out,
                    struct error *err) WARN_UNUSED;
#endif
