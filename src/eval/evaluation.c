#include "eval/evaluation.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define DEFAULT_K 10
#define LEVEL     .95

struct run {
    const struct dataset *d;
    const struct evaluation_params *params;
    struct evaluation *out;
    struct trainings trainings;
    const struct split *split;                /* of the test */
    double *values[TESTED_COUNT][MODELS_MAX]; /* [questions] each, at k */
};

static const enum quality tested[TESTED_COUNT] = {
    [TESTED_HR] = QUALITY_HR, [TESTED_RECALL] = QUALITY_RECALL, [TESTED_NDCG] = QUALITY_NDCG};

enum quality tested_quality(enum tested t)
{
    return tested[t];
}

static void choose_cutoffs(struct evaluation *e, uint32_t k)
{
    static const uint32_t usual[] = {5, 10, 20};
    e->k = k ? k : DEFAULT_K;
    bool placed = false;
    for (unsigned i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (!placed && e->k <= usual[i]) {
            e->cutoffs[e->cutoff_count++] = e->k;
            placed = true;
        }
        if (usual[i] != e->k)
            e->cutoffs[e->cutoff_count++] = usual[i];
    }
    if (!placed)
        e->cutoffs[e->cutoff_count++] = e->k;
}

static int prepare(struct run *r, struct error *err)
{
    const struct evaluation_params *p = r->params;
    struct training_params params = {.split = p->split,
                                     .timed = p->timed,
                                     .keep = p->keep,
                                     .threads = p->threads,
                                     .progress = p->progress};
    for (uint32_t i = 0; i < p->entrant_count; i++) {
        const char *problem =
            entrant_problem(p->entrants[i], &p->split, p->timed, r->d->user_count > 0);
        if (problem)
            return error_set(err, ERR_INVALID, "model %s %s", p->entrants[i]->name, problem);
        params.validation = params.validation || p->entrants[i]->needs_valid;
    }
    return trainings_make(r->d, &params, &r->trainings, err);
}

static void describe(struct run *r)
{
    const struct dataset *d = r->d, *train = &r->split->train;
    const struct questions *q = &r->split->questions;
    struct evaluation *e = r->out;
    e->data.orders = d->basket_count;
    e->data.items = d->item_count;
    e->data.shoppers = d->user_count;
    e->data.lines = csr_entries(&d->baskets);
    e->train.orders = train->basket_count;
    e->train.items = train->item_count;
    e->train.shoppers = train->user_count;
    e->train.lines = csr_entries(&train->baskets);
    e->questions = q->count;
    e->clusters = q->cluster_count;
    e->targets = q->target_start[q->count];
    e->unknown_targets = r->split->unknown_targets;
    e->repeat_targets = r->split->repeat_targets;
    e->seen_baskets = r->split->seen_baskets;
    e->unasked_orders = r->split->unasked_orders;
}

static int measure_quality(struct run *r, const struct ranking *ranking, struct model_result *m,
                           double *values, struct error *err)
{
    uint32_t numbers;
    for (int q = 0; q < QUALITY_COUNT; q++) {
        for (uint32_t c = 0; c < r->out->cutoff_count; c++) {
            int rc = quality_values(r->split, ranking, (enum quality)q, r->out->cutoffs[c],
                                    SEGMENT_ALL, values, err);
            if (rc)
                return rc;
            m->quality[q][c] = mean_of(values, r->out->questions, &numbers);
        }
    }
    for (int s = 0; s < SEGMENT_COUNT; s++) {
        for (int t = 0; t < TESTED_COUNT; t++) {
            int rc = quality_values(r->split, ranking, tested[t], r->out->k, (enum segment)s,
                                    values, err);
            if (rc)
                return rc;
            m->segments[s].value[t] = mean_of(values, r->out->questions, &m->segments[s].questions);
        }
    }
    return 0;
}

static int measure_lists(struct run *r, const struct ranking *ranking, struct model_result *m,
                         struct error *err)
{
    static const double quantiles[2] = {.5, .99};
    double us[2];
    int rc = list_measures(r->split, ranking, r->out->k, &r->trainings.test.pairs,
                           r->params->threads, &m->lists, err);
    for (uint32_t c = 0; rc == 0 && c < r->out->cutoff_count; c++)
        rc = list_coverage(r->split, ranking, r->out->cutoffs[c], &m->coverage[c], err);
    if (rc)
        return rc;
    rc = answer_quantiles(ranking, r->out->questions, quantiles, 2, us, err);
    if (rc)
        return rc;
    m->answer_us_p50 = us[0];
    m->answer_us_p99 = us[1];
    return 0;
}

static int measure(struct run *r, uint32_t model, const struct ranking *ranking, struct error *err)
{
    struct model_result *m = &r->out->models[model];
    double *values;
    if (!MEM_NEW(values, r->out->questions))
        return error_set(err, ERR_NOMEM, "evaluation: out of memory");
    int rc = measure_quality(r, ranking, m, values, err);
    free(values);
    if (rc == 0)
        rc = measure_lists(r, ranking, m, err);
    for (int t = 0; rc == 0 && t < TESTED_COUNT; t++) {
        if (!MEM_NEW(r->values[t][model], r->out->questions))
            return error_set(err, ERR_NOMEM, "evaluation: out of memory");
        rc = quality_values(r->split, ranking, tested[t], r->out->k, SEGMENT_ALL,
                            r->values[t][model], err);
    }
    return rc;
}

/* At a point of the curve, when there is one. */
static int ask(struct run *r, uint32_t model, const struct contender *contender,
               const struct curve_point *point, struct error *err)
{
    const struct evaluation_params *p = r->params;
    const struct ranking_params params = {
        .list_length = r->out->cutoffs[r->out->cutoff_count - 1],
        .open_ties = p->open_ties,
        .novelty = point && p->curve == CURVE_NOVELTY ? point->value : 0,
        .diversity = point && p->curve == CURVE_DIVERSITY ? point->value : 0,
        .pairs = &r->trainings.test.pairs,
        .threads = p->threads,
        .progress = p->progress};
    struct ranking ranking = {0};
    struct model_result *m = &r->out->models[model];
    m->name = point ? point->name : contender->name;
    m->baseline = contender->baseline;
    m->cost = contender->cost;
    r->out->model_count = model + 1;
    progress_begin(p->progress, m->name, r->out->questions);
    int rc = ranking_make(r->split, contender, &params, &ranking, err);
    if (rc == 0)
        rc = measure(r, model, &ranking, err);
    ranking_deinit(&ranking);
    return rc;
}

static int run_model(struct run *r, uint32_t model, struct error *err)
{
    const struct entrant *entrant = r->params->entrants[model];
    struct contender contender = {0};
    uint32_t count;
    const struct curve_point *points = curve_points(r->params->curve, &count);
    progress_begin(r->params->progress, entrant->name, r->out->questions);
    int rc = entrant_train(entrant, &r->trainings.test, &contender, err);
    if (rc)
        return rc;
    if (count == 0)
        rc = ask(r, model, &contender, NULL, err);
    for (uint32_t x = 0; rc == 0 && x < count; x++)
        rc = ask(r, x, &contender, &points[x], err);
    contender_deinit(&contender);
    return rc;
}

static uint32_t choose_against(const struct run *r)
{
    const struct evaluation *e = r->out;
    uint32_t best = 0, at = 0;
    bool any = false;
    if (r->params->curve)
        return 0;
    while (e->cutoffs[at] != e->k)
        at++;
    for (uint32_t m = 0; m < e->model_count; m++) {
        if (r->params->against == r->params->entrants[m])
            return m;
        bool better =
            e->models[m].quality[QUALITY_NDCG][at] > e->models[best].quality[QUALITY_NDCG][at];
        if (e->models[m].baseline && (!any || better)) {
            best = m;
            any = true;
        }
    }
    return best;
}

static int adjust(struct evaluation *e, enum tested t, struct error *err)
{
    double p[MODELS_MAX], adjusted[MODELS_MAX];
    uint32_t count = 0;
    for (uint32_t m = 0; m < e->model_count; m++)
        if (m != e->against)
            p[count++] = e->models[m].difference[t].p;
    int rc = holm_adjust(p, count, adjusted, err);
    count = 0;
    for (uint32_t m = 0; rc == 0 && m < e->model_count; m++)
        e->models[m].adjusted_p[t] = m == e->against ? 1 : adjusted[count++];
    return rc;
}

static int compare(struct run *r, enum tested t, struct error *err)
{
    struct evaluation *e = r->out;
    const struct questions *q = &r->split->questions;
    const struct resample_params params = {.count = r->params->resamples,
                                           .seed = r->params->split.seed,
                                           .threads = r->params->threads,
                                           .progress = r->params->progress};
    struct resamples s;
    progress_begin(params.progress, "comparing", params.count);
    int rc = resamples_make((const double *const *)r->values[t], e->model_count, q->count,
                            q->cluster, q->cluster_count, &params, &s, err);
    if (rc)
        return rc;
    e->resamples = s.count;
    for (uint32_t m = 0; rc == 0 && m < e->model_count; m++) {
        struct model_result *model = &e->models[m];
        rc = resamples_interval(&s, m, RESAMPLE_ZERO, LEVEL, &model->interval[t], err);
        if (rc == 0)
            rc = resamples_interval(&s, m, e->against, LEVEL, &model->difference[t], err);
    }
    resamples_deinit(&s);
    return rc ? rc : adjust(e, t, err);
}

/* Of fewer shoppers, resampling tells nothing. */
static int check_questions(const struct evaluation *e, struct error *err)
{
    if (e->clusters >= CLUSTERS_LEAST)
        return 0;
    return error_set(err, ERR_INVALID,
                     "too few to measure by: the test asks %u questions about %u shoppers or "
                     "baskets, at least %d are needed; more orders or a larger share for the test "
                     "may help",
                     e->questions, e->clusters, CLUSTERS_LEAST);
}

int evaluation_run(const struct dataset *d, const struct evaluation_params *params,
                   struct evaluation *out, struct error *err)
{
    struct run r = {.d = d, .params = params, .out = out};
    r.split = &r.trainings.test.split;
    assert(params->entrant_count >= 1 && params->entrant_count <= MODELS_MAX);
    assert(!params->curve || params->entrant_count == 1);
    *out = (struct evaluation){0};
    choose_cutoffs(out, params->k);
    int rc = prepare(&r, err);
    if (rc == 0) {
        describe(&r);
        rc = check_questions(out, err);
    }
    for (uint32_t m = 0; rc == 0 && m < params->entrant_count; m++)
        rc = run_model(&r, m, err);
    if (rc == 0)
        out->against = choose_against(&r);
    for (int t = 0; rc == 0 && t < TESTED_COUNT; t++)
        rc = compare(&r, (enum tested)t, err);
    for (int t = 0; t < TESTED_COUNT; t++)
        for (uint32_t m = 0; m < MODELS_MAX; m++)
            free(r.values[t][m]);
    trainings_deinit(&r.trainings);
    return rc;
}
