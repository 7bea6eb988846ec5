/* The blend as an evaluation sees it: the recipe fitted on the validation, its matrices made of the
 * training as a model's are, and the mix of the task over them. */
#include "entrant_internal.h"
#include "eval/contender_mix.h"
#include "eval/fit.h"

#include <stdlib.h>
#include <string.h>

enum mix_kind entrant_mix(const struct split *split)
{
    switch (split->task) {
    case TASK_BASKET:
        return MIX_BASKET;
    case TASK_SESSION:
        return MIX_SESSION;
    case TASK_PERSONAL:
    case TASK_REBUY:
        break;
    }
    return MIX_PERSONAL;
}

int entrant_recipe_rows(const struct training *t, const struct recipe *recipe,
                        const struct mix *mix, struct csr rows[MATRIX_COUNT], struct error *err)
{
    const struct sgns_params sgns = {
        .seed = t->seed, .threads = t->threads, .progress = t->progress};
    struct source_params params = {.keep = t->keep,
                                   .sgns = &sgns,
                                   .histories_are_visits = t->split.task == TASK_SESSION,
                                   .threads = t->threads,
                                   .progress = t->progress};
    struct sources sources;
    int rc = 0;
    sources_init(&sources, &t->split.train, recipe, &params);
    for (int k = 0; k < MATRIX_COUNT && rc == 0; k++) {
        uint32_t *both = NULL;
        if (!(mix->weight[k] > 0))
            continue;
        rc = sources_make(&sources, (enum matrix_kind)k, err);
        if (rc == 0)
            rc =
                sources_combine(&sources, (enum matrix_kind)k, t->split.rank, &rows[k], &both, err);
        free(both);
    }
    sources_deinit(&sources);
    return rc;
}

/* As leave-last-out does without refit: then what the fit has made is what would be made again. */
static bool is_same_training(const struct dataset *a, const struct dataset *b)
{
    return a->item_count == b->item_count && a->basket_count == b->basket_count &&
           csr_entries(&a->baskets) == csr_entries(&b->baskets) &&
           !memcmp(a->item_key, b->item_key, a->item_count * sizeof *a->item_key) &&
           !memcmp(a->user, b->user, a->basket_count * sizeof *a->user) &&
           !memcmp(a->time_ms, b->time_ms, a->basket_count * sizeof *a->time_ms) &&
           !memcmp(a->baskets.start, b->baskets.start,
                   (a->basket_count + 1ULL) * sizeof *a->baskets.start) &&
           !memcmp(a->baskets.column, b->baskets.column,
                   csr_entries(&a->baskets) * sizeof *a->baskets.column);
}

/* The menu as it is, which is what is served where there is too little to choose by. */
int entrant_train_default(const struct training *t, struct contender *out, struct error *err)
{
    struct training alone = *t;
    alone.earlier = NULL;
    int rc = entrant_train_blend(&alone, out, err);
    if (rc == 0)
        out->name = "default";
    return rc;
}

int entrant_train_learner(const struct entrant *l, const struct training *t, struct contender *out,
                          struct error *err)
{
    const struct recipe recipe = {.ingredients = {l->learner}, .ingredient_count = 1};
    struct mix mix = {.habit_decay = 1};
    struct csr rows[MATRIX_COUNT] = {0};
    mix.weight[l->learner.matrix] = 1;
    for (int k = 0; k < MATRIX_COUNT; k++)
        mix.decay[k] = entrant_decay(t);
    int rc = entrant_recipe_rows(t, &recipe, &mix, rows, err);
    if (rc == 0)
        return contender_mix(l->name, &mix, rows, NULL, out, err);
    csr_deinit(&rows[l->learner.matrix]);
    return rc;
}

int entrant_train_blend(const struct training *t, struct contender *out, struct error *err)
{
    enum mix_kind kind = entrant_mix(&t->split);
    struct recipe recipe;
    struct csr rows[MATRIX_COUNT] = {0};
    struct fit_params params = {.keep = t->keep, .threads = t->threads, .progress = t->progress};
    recipe_menu(&recipe, t->split.train.item_count);
    const struct training *earlier = t->earlier;
    bool again = !earlier || !is_same_training(&earlier->split.train, &t->split.train);
    struct fit_report report = {0};
    int rc = 0;
    if (earlier)
        rc = recipe_fit(&earlier->split, &recipe, kind, &params, &recipe, again ? NULL : rows,
                        &report, err);
    const struct mix *mix = &recipe.mixes[kind];
    if (rc == 0 && (again || !report.fitted))
        rc = entrant_recipe_rows(t, &recipe, mix, rows, err);
    if (rc == 0)
        return contender_fitted("blend", &t->split, mix, rows, t->threads, out, err);
    for (int k = 0; k < MATRIX_COUNT; k++)
        csr_deinit(&rows[k]);
    return rc;
}
