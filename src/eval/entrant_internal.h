/* Learners of the table that are more than a few lines. */
#ifndef EVAL_ENTRANT_INTERNAL_H
#define EVAL_ENTRANT_INTERNAL_H

#include "engine/recipe.h"
#include "eval/entrant.h"

/* One matrix with the decay that plain learners have for such questions. Takes the rows. */
int entrant_rows(const struct training *t, const char *name, struct csr *rows,
                 struct contender *out, struct error *err) WARN_UNUSED;

float entrant_decay(const struct training *t); /* that one */

int entrant_train_ridge(const struct training *t, struct contender *out, struct error *err);
int entrant_train_lowrank(const struct training *t, struct contender *out, struct error *err);
int entrant_train_sgns(const struct training *t, struct contender *out, struct error *err);
int entrant_train_softmax(const struct training *t, struct contender *out, struct error *err);
int entrant_train_ials(const struct training *t, struct contender *out, struct error *err);
int entrant_train_stan(const struct training *t, struct contender *out, struct error *err);
int entrant_train_vmis(const struct training *t, struct contender *out, struct error *err);
int entrant_train_repeat(const struct training *t, struct contender *out, struct error *err);
int entrant_train_tifu(const struct training *t, struct contender *out, struct error *err);
/* Of the task. */
enum mix_kind entrant_mix(const struct split *split);
/* The matrices that the mix weighs, as a model's are made. On an error some may be there. */
int entrant_recipe_rows(const struct training *t, const struct recipe *recipe,
                        const struct mix *mix, struct csr rows[MATRIX_COUNT],
                        struct error *err) WARN_UNUSED;

int entrant_train_learner(const struct entrant *l, const struct training *t, struct contender *out,
                          struct error *err);
int entrant_train_default(const struct training *t, struct contender *out, struct error *err);
int entrant_train_fusion(const struct training *t, struct contender *out, struct error *err);
int entrant_train_blend(const struct training *t, struct contender *out, struct error *err);

#endif
