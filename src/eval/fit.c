/* What is to be weighed is made, described (fit_describe.c), weighed (fit_ascend.c), written down.
 */
#include "eval/fit.h"

#include "base/mem.h"
#include "fit_internal.h"
#include "learn/popularity.h"
#include "neighbours_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_QUESTIONS 4000
#define DEFAULT_CUTOFF    10

static void add_feature(struct fit *f, struct feature feature, float share)
{
    f->feature[f->features] = feature;
    f->share[f->features++] = share;
}

/* Ingredients with rows in a matrix of the mix; only those with a share when `starting`. */
static void add_ingredients(struct fit *f, bool starting)
{
    const struct mix *mix = &f->menu->mixes[f->kind];
    for (uint32_t x = 0; x < f->menu->ingredient_count; x++) {
        const struct ingredient *g = &f->menu->ingredients[x];
        const struct csr *rows = &f->sources.rows[x];
        if (mix->weight[g->matrix] > 0 && rows->start && (g->share > 0 || !starting))
            add_feature(f, (struct feature){rows, g->matrix, x}, g->share * mix->weight[g->matrix]);
    }
}

static void add_matrices(struct fit *f)
{
    const struct mix *mix = &f->menu->mixes[f->kind];
    for (int k = 0; k < MATRIX_COUNT; k++)
        if (mix->weight[k] > 0 && f->whole[k].start)
            add_feature(f, (struct feature){&f->whole[k], (enum matrix_kind)k, 0}, mix->weight[k]);
}

static void choose_features(struct fit *f, bool starting)
{
    const struct mix *mix = &f->menu->mixes[f->kind];
    const float habit = mix_has_habit(f->kind) ? mix->habit : 0;
    const float others[] = {[HABIT] = habit,
                            [NEIGHBOURS] = f->neighbours.start ? mix->neighbours : 0,
                            [POPULAR] = mix->popular,
                            [RECENT] = mix->recent};
    f->features = 0;
    if (f->whole)
        add_matrices(f);
    else
        add_ingredients(f, starting);
    for (int x = 0; x < OTHERS; x++)
        add_feature(f, (struct feature){0}, others[x]);
}

static bool has_rows(const struct fit *f, int matrix)
{
    for (uint32_t x = 0; x + OTHERS < f->features; x++)
        if ((int)f->feature[x].matrix == matrix)
            return true;
    return false;
}

/* Decays matrix by matrix, with the menu's shares. */
static int choose_decays(struct fit *f, struct error *err)
{
    static const float decays[] = {1, 0.9f, 0.8f, 0.7f, 0.6f, 0.5f, 0.4f};
    choose_features(f, true);
    int rc = fit_describe(f, err);
    double best = rc ? 0 : fit_try(f, 0, 0);
    for (int k = 0; k < MATRIX_COUNT && rc == 0; k++) {
        float chosen = f->decay[k];
        if (!has_rows(f, k) || chosen >= 1)
            continue;
        for (size_t x = 0; x < sizeof decays / sizeof *decays && rc == 0; x++) {
            f->decay[k] = decays[x];
            rc = fit_describe(f, err);
            double ndcg = rc ? 0 : fit_try(f, 0, 0);
            if (ndcg <= best + FIT_LEAST_GAIN)
                continue;
            best = ndcg;
            chosen = decays[x];
        }
        f->decay[k] = chosen;
    }
    return rc;
}

/* A matrix as the menu has it, unless it is there already. */
static int make_whole(struct fit *f, enum matrix_kind kind, struct error *err)
{
    uint32_t *both = NULL;
    if (f->whole[kind].start)
        return 0;
    int rc = sources_make(&f->sources, kind, err);
    if (rc == 0)
        rc = sources_combine(&f->sources, kind, f->split->rank, &f->whole[kind], &both, err);
    sources_drop(&f->sources, kind);
    free(both);
    return rc;
}

/* All ingredients of the mix's matrices are made to be tried, or the matrices. */
static int make_sources(struct fit *f, const struct fit_params *params, struct error *err)
{
    const struct mix *mix = &f->menu->mixes[f->kind];
    struct recipe *asked = &f->asked;
    struct source_params source = {.keep = params->keep,
                                   .histories_are_visits =
                                       f->split->task == TASK_SESSION && !f->split->visits,
                                   .threads = params->threads,
                                   .progress = params->progress};
    *asked = *f->menu;
    for (uint32_t x = 0; x < asked->ingredient_count && !f->whole; x++)
        asked->ingredients[x].share = 1;
    sources_init(&f->sources, &f->split->train, asked, &source);
    int rc = 0;
    for (int k = 0; k < MATRIX_COUNT && rc == 0; k++)
        if (mix->weight[k] > 0)
            rc = f->whole ? make_whole(f, (enum matrix_kind)k, err)
                          : sources_make(&f->sources, (enum matrix_kind)k, err);
    return rc;
}

static int count_popularity(struct fit *f, struct error *err)
{
    const struct dataset *d = &f->split->train;
    struct popularity p;
    int rc = popularity_build(d, 0, &p, err);
    if (rc)
        return rc;
    f->named_count = d->item_count < POPULAR_NAMED ? d->item_count : POPULAR_NAMED;
    MEM_NEW(f->popular, d->item_count);
    MEM_NEW(f->recent, d->item_count);
    f->named = mem_copy(p.by_rank, f->named_count * sizeof *f->named);
    bool ready = f->popular && f->recent && f->named;
    if (ready) {
        popularity_prior(&p, 1, 0, f->popular);
        popularity_prior(&p, 0, 1, f->recent);
    }
    popularity_deinit(&p);
    return ready ? 0 : error_set(err, ERR_NOMEM, "fitting a recipe: out of memory");
}

/* Evenly from the validation's. */
static int choose_questions(struct fit *f, const struct fit_params *params, struct error *err)
{
    const struct questions *q = &f->split->questions;
    uint32_t most = params->questions ? params->questions : DEFAULT_QUESTIONS, count = 0;
    if (!MEM_NEW(f->question, q->count))
        return error_set(err, ERR_NOMEM, "fitting a recipe: out of memory");
    for (uint32_t x = 0; x < q->count; x++)
        if (!params->half || q->cluster[x] % 2 == 0)
            f->question[count++] = x;
    f->question_count = count < most ? count : most;
    for (uint32_t x = 0; x < f->question_count; x++)
        f->question[x] = f->question[(uint64_t)x * count / f->question_count];
    MEM_ZNEW(f->of, f->question_count);
    MEM_NEW(f->ndcg, f->question_count);
    if (!f->of || !f->ndcg)
        return error_set(err, ERR_NOMEM, "fitting a recipe: out of memory");
    return 0;
}

/* Shares as fitted; what is not used leaves, but for other matrices' ingredients. */
static void write_ingredients(const struct fit *f, struct recipe *out)
{
    const struct mix *old = &f->menu->mixes[f->kind];
    float share[RECIPE_INGREDIENTS_MAX] = {0};
    for (uint32_t x = 0; x + OTHERS < f->features; x++)
        share[f->feature[x].ingredient] = f->share[x];
    out->ingredient_count = 0;
    for (uint32_t x = 0; x < f->menu->ingredient_count; x++) {
        struct ingredient g = f->menu->ingredients[x];
        if (old->weight[g.matrix] > 0)
            g.share = share[x];
        if (g.share > 0 || !(old->weight[g.matrix] > 0))
            out->ingredients[out->ingredient_count++] = g;
    }
    for (int k = 0; k < MATRIX_COUNT; k++) {
        bool used = false;
        for (uint32_t x = 0; x < out->ingredient_count; x++)
            used = used || (int)out->ingredients[x].matrix == k;
        out->mixes[f->kind].weight[k] = old->weight[k] > 0 && used ? 1 : 0;
    }
}

/* A matrix that the training has no rows for keeps the menu's weight: nothing was learnt of it. */
static void write_weights(const struct fit *f, struct mix *mix)
{
    for (uint32_t x = 0; x + OTHERS < f->features; x++)
        mix->weight[f->feature[x].matrix] = f->share[x];
}

static void write_recipe(const struct fit *f, struct recipe *out)
{
    struct mix *mix = &out->mixes[f->kind];
    if (f->whole)
        write_weights(f, mix);
    else
        write_ingredients(f, out);
    memcpy(mix->decay, f->decay, sizeof mix->decay);
    mix->habit = f->share[fit_other(f, HABIT)];
    if (f->neighbours.start)
        mix->neighbours = f->share[fit_other(f, NEIGHBOURS)];
    mix->popular = f->share[fit_other(f, POPULAR)];
    mix->recent = f->share[fit_other(f, RECENT)];
}

static int fit_all(struct fit *f, const struct fit_params *params, struct fit_report *report,
                   struct error *err)
{
    int rc = count_popularity(f, err);
    if (rc == 0)
        rc = make_sources(f, params, err);
    if (rc == 0 && f->kind == MIX_SESSION)
        rc = split_neighbours(f->split, &f->neighbours, err);
    progress_begin(f->progress, "fitting the recipe", 0); /* learners have steps of their own */
    if (rc == 0)
        rc = choose_decays(f, err);
    if (rc)
        return rc;
    choose_features(f, false);
    rc = fit_describe(f, err);
    if (rc)
        return rc;
    report->ndcg_menu = fit_try(f, 0, 0);
    report->ndcg = fit_ascend(f, report->ndcg_menu);
    return progress_cancelled(f->progress)
               ? error_set(err, ERR_CANCELLED, "fitting a recipe: cancelled")
               : 0;
}

/* The matrices under the shares found, from the rows at hand. */
static int make_matrices(struct fit *f, struct csr rows[MATRIX_COUNT], struct error *err)
{
    int rc = 0;
    for (uint32_t x = 0; x < f->asked.ingredient_count; x++)
        f->asked.ingredients[x].share = 0;
    for (uint32_t x = 0; x + OTHERS < f->features; x++)
        f->asked.ingredients[f->feature[x].ingredient].share = f->share[x];
    for (int k = 0; k < MATRIX_COUNT && rc == 0; k++) {
        uint32_t *both = NULL;
        if (f->menu->mixes[f->kind].weight[k] > 0)
            rc = sources_combine(&f->sources, (enum matrix_kind)k, f->split->rank, &rows[k], &both,
                                 err);
        free(both);
    }
    return rc;
}

static void fit_deinit(struct fit *f)
{
    for (uint32_t x = 0; f->of && x < f->question_count; x++)
        fit_candidates_deinit(&f->of[x]);
    free(f->of);
    free(f->question);
    free(f->ndcg);
    free(f->popular);
    free(f->recent);
    free(f->named);
    sessionknn_deinit(&f->neighbours);
    sources_deinit(&f->sources);
}

int recipe_fit(const struct split *valid, const struct recipe *menu, enum mix_kind kind,
               const struct fit_params *params, struct recipe *out, struct csr rows[MATRIX_COUNT],
               struct fit_report *report, struct error *err)
{
    struct fit f = {.split = valid,
                    .menu = menu,
                    .kind = kind,
                    .whole = params->whole ? rows : NULL,
                    .cutoff = params->cutoff ? params->cutoff : DEFAULT_CUTOFF,
                    .threads = params->threads,
                    .progress = params->progress};
    struct fit_report made = {0};
    struct recipe recipe = *menu;
    memcpy(f.decay, menu->mixes[kind].decay, sizeof f.decay);
    int rc = choose_questions(&f, params, err);
    made.questions = f.question_count;
    made.fitted = rc == 0 && f.question_count >= FIT_QUESTIONS_LEAST;
    if (made.fitted) {
        rc = fit_all(&f, params, &made, err);
        if (rc == 0)
            write_recipe(&f, &recipe);
        if (rc == 0 && rows && !f.whole)
            rc = make_matrices(&f, rows, err);
    }
    for (int k = 0; k < MATRIX_COUNT && rows && rc; k++)
        csr_deinit(&rows[k]);
    fit_deinit(&f);
    if (rc)
        return rc;
    *out = recipe;
    if (report)
        *report = made;
    return 0;
}

/* Even clusters are not just half of them, and what is of one moment may add some. */
uint32_t fit_questions_of(double asked)
{
    double most = .7 * asked + 100;
    return most < DEFAULT_QUESTIONS ? (uint32_t)most : DEFAULT_QUESTIONS;
}

void recipe_fit_estimate(const struct dataset_shape *train, const struct recipe *menu,
                         enum mix_kind kind, const struct fit_params *params,
                         struct fit_estimate *out)
{
    const struct mix *mix = &menu->mixes[kind];
    const struct source_params source = {.keep = params->keep, .threads = params->threads};
    uint32_t questions = params->questions ? params->questions : DEFAULT_QUESTIONS;
    uint32_t features = OTHERS + (params->whole ? MATRIX_COUNT : 0);
    bool wanted[MATRIX_COUNT];
    struct recipe asked = *menu;
    struct sources_estimate sources;
    for (int k = 0; k < MATRIX_COUNT; k++)
        wanted[k] = mix->weight[k] > 0 && (!params->whole || k == MATRIX_VISITS);
    for (uint32_t x = 0; x < asked.ingredient_count; x++) {
        asked.ingredients[x].share = 1;
        features += !params->whole && wanted[asked.ingredients[x].matrix];
    }
    sources_estimate(train, &asked, &source, wanted, &sources);
    uint64_t tables = fit_tables_estimate_bytes(train->items, features, params->threads);
    uint64_t described = fit_candidates_estimate_bytes(train, questions, features);
    if (kind == MIX_SESSION) /* and visits of the training beside them */
        tables += sessionknn_estimate_bytes(train->events, train->items) + 8 * train->events +
                  parallel_workers(params->threads) *
                      sessionknn_scratch_estimate_bytes(train->events, train->items);
    uint64_t most = tables > sources.combined_bytes ? tables : sources.combined_bytes;
    uint64_t later = sources.held_bytes + described + most;
    out->peak_bytes = 8 * train->items + (later > sources.peak_bytes ? later : sources.peak_bytes);
    out->rows_bytes = sources.combined_bytes;
}
