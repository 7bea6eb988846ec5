/* Fitting a recipe: the shares of the learners, the weights of habit, neighbours and popularity and
 * the decays, for one surface, by what ranks a validation's targets best. Pure computation; any
 * thread.
 *
 * The blend is linear, so a question's candidates are described once by what each ingredient of the
 * menu gives them; then shares are moved one at a time, up and down in steps that get smaller,
 * while the mean NDCG of the validation rises by more than noise (coordinate ascent, shares >= 0),
 * and whole shares are given from one learner to another, from the menu's shares and from the best
 * learner alone; the higher of the two ends counts.
 * What is said of learners here goes for whole matrices too.
 * An ingredient that helps no more than that gets none and is not made again. */
#ifndef EVAL_FIT_H
#define EVAL_FIT_H

#include "engine/sources.h"
#include "eval/split.h"

struct fit_params {     /* zero = default */
    uint32_t questions; /* at most this many of the validation, evenly taken; 0: 4000 */
    uint32_t cutoff;    /* of the NDCG; 0: 10 */
    uint32_t keep;      /* entries of a row; 0: 200 */
    bool half;          /* by the questions of even clusters only: odd ones may judge */
    bool whole;         /* weigh the mix's matrices as the menu makes them, not their ingredients,
                           whose shares another surface has fitted */
    uint32_t threads;
    struct progress *progress;
};

struct fit_report {
    bool fitted; /* else there were fewer questions than FIT_QUESTIONS_LEAST */
    uint32_t questions;
    double ndcg_menu; /* of the menu's own shares */
    double ndcg;      /* of the recipe */
};

/* The validation is too small to choose by: the menu's own shares stay. */
#define FIT_QUESTIONS_LEAST 100

/* The menu's ingredients in the matrices that its mix `kind` weighs, fitted on the questions of
 * `valid`: those with a share above 0 where the ascent ended, with it; matrices' weights become 1.
 * Ingredients of other matrices and other mixes are left as the menu has them. Shares of 0 in the
 * menu are tried too. `rows` (may be NULL) gets the matrices of the mix as the recipe makes them of
 * valid->train, for the caller to free; none when nothing was fitted, nor on failure. `out` may be
 * the menu. The same whatever the threads. ERR_NOMEM, ERR_CANCELLED, what learners say.
 *
 * With `whole` ingredients stay as they are and the matrices' weights are fitted. `rows` must be
 * given then, and a matrix that is in it already is not made again; on failure all are freed. */
int recipe_fit(const struct split *valid, const struct recipe *menu, enum mix_kind kind,
               const struct fit_params *params, struct recipe *out, struct csr rows[MATRIX_COUNT],
               struct fit_report *report, struct error *err) WARN_UNUSED;

/* Most bytes that recipe_fit holds at a time, and its rows afterwards; of a training of this shape.
 */
struct fit_estimate {
    uint64_t peak_bytes, rows_bytes;
};
uint32_t fit_questions_of(double asked); /* most of half of so many, by default */
void recipe_fit_estimate(const struct dataset_shape *train, const struct recipe *menu,
                         enum mix_kind kind, const struct fit_params *params,
                         struct fit_estimate *out);

/* The default recipe for a shop of so many items, with the alternatives worth trying, their shares
 * 0; recipe_bound holds. */
void recipe_menu(struct recipe *r, uint32_t items);
#endif
