/* The orders are cut by time: the newest tenth for the final comparison, the rest for the rungs, of
 * which each takes the newest share. */
#include "eval/tune.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "eval/contender_mix.h"
#include "eval/fit.h"
#include "eval/gate.h"
#include "eval/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TRIES   27
#define FINAL_SHARE     0.1
#define HELD_BACK       0.1
#define QUESTIONS_MAX   8000
#define CUTOFF          10
#define KEPT_OF         3 /* one in three goes on */
#define QUESTIONS_LEAST (3 * FIT_QUESTIONS_LEAST)
/* Of the space. */
#define NEIGHBOURS_MOST 300
#define DISTANCE_MOST   100
#define LOWRANK_MOST    256
#define IALS_MOST       128
#define STAN_MOST       800

static float between(struct rng *rng, float low, float high)
{
    return low + (high - low) * rng_unitf(rng);
}

static float log_between(struct rng *rng, float low, float high)
{
    return expf(between(rng, logf(low), logf(high)));
}

static void draw_ridge(struct ingredient *g, struct rng *rng)
{
    static const uint32_t neighbours[] = {50, 100, 200, NEIGHBOURS_MOST};
    g->neighbours = neighbours[rng_below(rng, 4)];
    g->lambda = log_between(rng, 5, 500);
    g->unit_power = between(rng, 0, 1);
    if (g->half_life_days > 0)
        g->half_life_days = log_between(rng, 30, 500);
}

static void draw_sequence(struct ingredient *g, struct rng *rng)
{
    static const uint32_t distances[] = {5, 10, 20, 50, DISTANCE_MOST};
    g->distance = distances[rng_below(rng, 5)];
    g->gap_power = between(rng, 0.3f, 1.5f);
    g->count_power = between(rng, 0.5f, 1);
    g->source_power = between(rng, 0.1f, 0.8f);
    g->target_power = between(rng, 0, 0.4f);
}

static void draw_pairs(struct ingredient *g, struct rng *rng)
{
    static const uint32_t counts[] = {0, 0, 2, 3, 5};
    g->min_count = counts[rng_below(rng, 5)];
}

/* Learners that the usual menu does without, each in one draw of four. */
static void add_rarer(struct recipe *r, struct rng *rng)
{
    if (rng_below(rng, 4) == 0)
        r->ingredients[r->ingredient_count++] =
            (struct ingredient){.matrix = MATRIX_SHOPPERS,
                                .learner = LEARNER_STAN,
                                .neighbours = 100u << rng_below(rng, 4),
                                .ageing = log_between(rng, 0.5f, 8),
                                .reach = log_between(rng, 1, 20)};
    if (rng_below(rng, 4) == 0)
        r->ingredients[r->ingredient_count++] =
            (struct ingredient){.matrix = rng_below(rng, 2) ? MATRIX_SHOPPERS : MATRIX_ORDERS,
                                .learner = LEARNER_IALS,
                                .rank = 32u << rng_below(rng, 3),
                                .reg = log_between(rng, 1e-4f, 1e-1f),
                                .unseen = log_between(rng, 0.02f, 1)};
}

/* Ridges of one matrix keep their systems in common (neighbours, unit_power), which makes them
 * cheap; their lambdas differ. */
void tune_menu(uint64_t seed, uint32_t number, uint32_t items, struct recipe *out)
{
    struct rng rng;
    struct ingredient first[MATRIX_COUNT] = {{0}};
    recipe_menu(out, items);
    if (number == 0)
        return;
    rng_seed(&rng, seed * 1000003 + number);
    for (uint32_t x = 0; x < out->ingredient_count; x++) {
        struct ingredient *g = &out->ingredients[x];
        if (g->learner == LEARNER_SEQUENCE)
            draw_sequence(g, &rng);
        if (g->learner <= LEARNER_CONFIDENCE)
            draw_pairs(g, &rng);
        if (g->learner == LEARNER_LOWRANK)
            g->rank = 32u << rng_below(&rng, 4);
        if (g->learner != LEARNER_RIDGE)
            continue;
        draw_ridge(g, &rng);
        if (first[g->matrix].neighbours) {
            g->neighbours = first[g->matrix].neighbours;
            g->unit_power = first[g->matrix].unit_power;
        }
        first[g->matrix] = *g;
    }
    for (int k = 0; k < MIX_COUNT; k++)
        out->mixes[k].habit_decay = between(&rng, 0.6f, 1);
    add_rarer(out, &rng);
    recipe_bound(out, items);
}

/* The baskets from `begin` on, up to `end`. */
static int part_of(const struct dataset *d, uint32_t begin, uint32_t end, struct dataset *out,
                   struct error *err)
{
    struct dataset_limits limits = {.max_order_items = UINT32_MAX};
    uint32_t *keys;
    int rc = dataset_init(out, &limits, err);
    if (rc)
        return rc;
    if (!MEM_NEW(keys, d->item_count))
        rc = error_set(err, ERR_NOMEM, "tuning: out of memory");
    for (uint32_t b = begin; b < end && rc == 0; b++)
        rc = dataset_add_basket(out, d, b, keys, err);
    free(keys);
    if (rc == 0)
        rc = dataset_finish(out, err);
    if (rc)
        dataset_deinit(out);
    return rc;
}

static int cut(const struct dataset *d, const struct tune_params *params, double share,
               struct split *out, struct error *err)
{
    const struct split_params split = {.protocol = PROTOCOL_TIME,
                                       .task =
                                           params->mix == MIX_BASKET ? TASK_BASKET : TASK_PERSONAL,
                                       .test_share = share,
                                       .questions_max = QUESTIONS_MAX,
                                       .seed = params->seed};
    return split_make(d, &split, STAGE_TEST, out, err);
}

/* A fitted recipe of the menu as a contender. */
static int contend(const struct split *s, const struct tune_params *params,
                   const struct recipe *menu, struct contender *out, struct error *err)
{
    struct fit_params fit = {.half = true,
                             .keep = params->keep,
                             .threads = params->threads,
                             .progress = params->progress};
    struct recipe recipe;
    struct csr rows[MATRIX_COUNT] = {0};
    struct fit_report report;
    int rc = recipe_fit(s, menu, params->mix, &fit, &recipe, rows, &report, err);
    if (rc)
        return rc;
    if (!report.fitted) /* without rows */
        return error_set(err, ERR_INVALID, "tuning: only %u questions to choose by",
                         report.questions);
    return contender_fitted("tune", s, &recipe.mixes[params->mix], rows, params->threads, out, err);
}

/* The mean NDCG of the questions of odd clusters: even ones were the fit's. */
static int judge(const struct split *s, const struct contender *c, const struct tune_params *params,
                 struct tune_try *out, struct error *err)
{
    const struct ranking_params asked = {
        .list_length = CUTOFF, .threads = params->threads, .progress = params->progress};
    struct trial trial;
    int rc = trial_make(s, c, &asked, true, &trial, err);
    if (rc == 0) {
        out->ndcg = trial.ndcg;
        out->questions = trial.questions;
    }
    return rc;
}

static int try_menu(const struct split *s, const struct tune_params *params, struct tune_try *t,
                    struct error *err)
{
    struct recipe menu;
    struct contender c;
    uint64_t begin = clock_mono_ns();
    tune_menu(params->seed, t->number, s->train.item_count, &menu);
    int rc = contend(s, params, &menu, &c, err);
    if (rc)
        return rc;
    rc = judge(s, &c, params, t, err);
    contender_deinit(&c);
    t->orders = s->train.basket_count;
    t->seconds = (double)(clock_mono_ns() - begin) / 1e9;
    if (rc == 0 && params->tried)
        rc = params->tried(params->context, t, err);
    return rc;
}

static bool was_tried(const struct tune_params *params, struct tune_try *t)
{
    for (uint32_t x = 0; x < params->done_count; x++) {
        if (params->done[x].number != t->number || params->done[x].rung != t->rung)
            continue;
        *t = params->done[x];
        return true;
    }
    return false;
}

static int compare_tries(const void *a, const void *b)
{
    const struct tune_try *x = a, *y = b;
    if (x->ndcg != y->ndcg)
        return x->ndcg > y->ndcg ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Tries those alive and sorts them; fewer than `count` when the deadline came first. */
static int run_rung(const struct split *s, const struct tune_params *params, uint32_t rung,
                    struct tune_try *alive, uint32_t *count, struct tuned *out, struct error *err)
{
    uint32_t tried = 0;
    int rc = 0;
    struct tune_params inside = *params;
    struct progress within;
    progress_init_part(&within, params->progress);
    inside.progress = &within;
    for (; tried < *count && rc == 0; tried++) {
        struct tune_try t = {.number = alive[tried].number, .rung = rung};
        bool late = params->deadline_ns && clock_mono_ns() >= params->deadline_ns;
        if (!was_tried(params, &t)) {
            if (late)
                break;
            rc = try_menu(s, &inside, &t, err);
            out->tries++;
        }
        alive[tried] = t;
        if (rc == 0 && progress_step(params->progress, 1))
            rc = error_set(err, ERR_CANCELLED, "tuning: cancelled");
    }
    out->complete = tried == *count;
    *count = tried;
    qsort(alive, tried, sizeof *alive, compare_tries);
    return rc;
}

/* The newest share of the orders, cut. ERR_INVALID: too few to try menus on. */
static int cut_rung(const struct dataset *d, uint32_t orders, uint32_t share,
                    const struct tune_params *params, struct split *out, struct error *err)
{
    struct dataset part;
    int rc = part_of(d, orders - orders / share, orders, &part, err);
    if (rc)
        return rc;
    rc = cut(&part, params, HELD_BACK, out, err);
    dataset_deinit(&part);
    if (rc || out->questions.count >= QUESTIONS_LEAST)
        return rc;
    rc = error_set(err, ERR_INVALID, "tuning: %u orders are too few: they ask %u questions",
                   orders / share, out->questions.count);
    split_deinit(out);
    return rc;
}

static uint32_t tries_of(uint32_t count)
{
    uint32_t all = 0;
    for (uint32_t rung = 0; rung < TUNE_RUNGS; rung++, count = (count + KEPT_OF - 1) / KEPT_OF)
        all += count;
    return all;
}

/* The best of the last rung that anybody finished; 0 without one. Rungs too small to tell menus
 * apart are left out, but not the last. */
static int search(const struct dataset *d, uint32_t orders, const struct tune_params *params,
                  struct tuned *out, struct error *err)
{
    struct tune_try alive[TUNE_TRIES_MAX];
    uint32_t count = params->tries ? params->tries : DEFAULT_TRIES, share = 1;
    int rc = 0;
    for (uint32_t x = 0; x < count; x++)
        alive[x] = (struct tune_try){.number = x};
    for (uint32_t r = 1; r < TUNE_RUNGS; r++)
        share *= KEPT_OF;
    progress_begin(params->progress, "trying menus", tries_of(count));
    for (uint32_t rung = 0; rung < TUNE_RUNGS && rc == 0; rung++, share /= KEPT_OF) {
        struct error why = ERROR_INIT;
        struct split s;
        rc = cut_rung(d, orders, share, params, &s, &why);
        if (rc == ERR_INVALID && rung + 1 < TUNE_RUNGS) {
            rc = 0;
            continue;
        }
        if (rc)
            return error_set(err, rc, "%s", why.text);
        rc = run_rung(&s, params, rung, alive, &count, out, err);
        split_deinit(&s);
        if (count > 0)
            out->number = alive[0].number;
        if (!out->complete)
            break;
        count = (count + KEPT_OF - 1) / KEPT_OF;
    }
    return rc;
}

/* The winner against the usual menu, on orders that no rung has seen. */
static int finish(const struct dataset *d, const struct tune_params *params, struct tuned *out,
                  struct error *err)
{
    struct contender usual = {0}, tuned = {0};
    struct recipe menu;
    struct gate gate = {0};
    struct gate_params judged = {.after_ms = INT64_MIN,
                                 .seed = params->seed,
                                 .threads = params->threads,
                                 .progress = params->progress};
    struct split s;
    recipe_menu(&menu, d->item_count);
    tune_menu(params->seed, out->number, d->item_count, &out->menu);
    if (out->number == 0)
        return 0;
    int rc = cut(d, params, FINAL_SHARE, &s, err);
    if (rc)
        return rc;
    rc = contend(&s, params, &menu, &usual, err);
    if (rc == 0)
        rc = contend(&s, params, &out->menu, &tuned, err);
    if (rc == 0)
        rc = gate_judge(&s, &usual, &tuned, &judged, &gate, err);
    contender_deinit(&usual);
    contender_deinit(&tuned);
    split_deinit(&s);
    out->questions = gate.questions;
    out->ndcg_usual = gate.ndcg_live;
    out->ndcg_tuned = gate.ndcg_new;
    out->difference = gate.difference;
    out->adopted = rc == 0 && gate.judged && gate.difference.low > 0;
    return rc;
}

int tune(const struct dataset *d, const struct tune_params *params, struct tuned *out,
         struct error *err)
{
    uint32_t orders = split_time_begin(d, FINAL_SHARE);
    *out = (struct tuned){0};
    if (params->tries > TUNE_TRIES_MAX)
        return error_set(err, ERR_INVALID, "tries: at most %d", TUNE_TRIES_MAX);
    int rc = search(d, orders, params, out, err);
    return rc ? rc : finish(d, params, out, err);
}

/* What no draw needs more than. */
static void widest_menu(uint32_t items, struct recipe *out)
{
    recipe_menu(out, items);
    for (uint32_t x = 0; x < out->ingredient_count; x++) {
        struct ingredient *g = &out->ingredients[x];
        g->neighbours = g->learner == LEARNER_RIDGE ? NEIGHBOURS_MOST : 0;
        g->distance = g->learner == LEARNER_SEQUENCE ? DISTANCE_MOST : 0;
        g->rank = g->learner == LEARNER_LOWRANK ? LOWRANK_MOST : g->rank;
    }
    for (int k = 0; k < 2; k++)
        out->ingredients[out->ingredient_count++] =
            (struct ingredient){.matrix = k ? MATRIX_SHOPPERS : MATRIX_ORDERS,
                                .learner = LEARNER_IALS,
                                .rank = IALS_MOST};
    out->ingredients[out->ingredient_count++] = (struct ingredient){
        .matrix = MATRIX_SHOPPERS, .learner = LEARNER_STAN, .neighbours = STAN_MOST};
    recipe_bound(out, items);
}

/* The largest are the last rung, and the comparison, where one contender waits for the other. */
uint64_t tune_estimate_bytes(const struct dataset_shape *shape, const struct tune_params *params)
{
    double asked = HELD_BACK * (params->mix == MIX_BASKET ? 3 : 1) * (double)shape->orders;
    const struct fit_params fit = {
        .questions = fit_questions_of(asked), .keep = params->keep, .threads = params->threads};
    struct recipe menu;
    struct split_estimate split;
    struct fit_estimate fitted;
    widest_menu((uint32_t)(shape->items < UINT32_MAX ? shape->items : UINT32_MAX), &menu);
    recipe_fit_estimate(shape, &menu, params->mix, &fit, &fitted);
    split_estimate(shape, &split);
    uint64_t part = split.held_bytes; /* what a rung is cut from is less than what is cut */
    uint64_t most = split.held_bytes + fitted.peak_bytes + fitted.rows_bytes;
    return most > part + split.peak_bytes ? most : part + split.peak_bytes;
}
