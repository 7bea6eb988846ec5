#include "eval/canary.h"

#include "base/mem.h"
#include "base/rng.h"
#include "eval/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL       .999
#define DEFAULT_K   10
#define LEAK_EVERY  3
#define GOLDEN      0x9e3779b97f4a7c15u
#define POPULARITY  0 /* columns of the comparison: popularity, the planted leak, the entrants */
#define PLANTED     1
#define COLUMNS_MAX (MODELS_MAX + 2)

const char *canary_name(enum canary c)
{
    return c == CANARY_SHUFFLED_TIMES ? "shuffled_times" : "permuted_items";
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "canary: out of memory");
}

static void shuffle(uint32_t *list, uint64_t count, struct rng *rng)
{
    for (uint64_t left = count; left > 1; left--) {
        uint64_t other = rng_u64(rng) % left; /* of 2^64: no bias to speak of */
        uint32_t swap = list[left - 1];
        list[left - 1] = list[other];
        list[other] = swap;
    }
}

/* from[b]: the order whose time and shopper order b gets; item[e]: what line e holds. */
static int deal(const struct dataset *d, const uint32_t *from, const uint32_t *item,
                struct dataset *out, struct error *err)
{
    const struct dataset_limits limits = {.max_order_items = UINT32_MAX};
    uint32_t *keys;
    int rc = dataset_init(out, &limits, err);
    if (rc)
        return rc;
    if (!MEM_NEW(keys, csr_entries(&d->baskets)))
        rc = out_of_memory(err);
    for (uint32_t b = 0; rc == 0 && b < d->basket_count; b++) {
        uint64_t begin = d->baskets.start[b], size = d->baskets.start[b + 1] - begin;
        uint32_t place = from ? from[b] : b;
        for (uint64_t k = 0; k < size; k++)
            keys[k] = d->item_key[item[begin + k]];
        rc = dataset_add(out, d->time_ms[place], dataset_user_key(d, place), keys, (uint32_t)size,
                         err);
    }
    free(keys);
    if (rc == 0)
        rc = dataset_finish(out, err);
    if (rc)
        dataset_deinit(out);
    return rc;
}

int canary_dataset(const struct dataset *d, enum canary c, uint64_t seed, struct dataset *out,
                   struct error *err)
{
    bool times = c == CANARY_SHUFFLED_TIMES;
    uint64_t count = times ? d->basket_count : csr_entries(&d->baskets);
    uint32_t *dealt;
    struct rng rng;
    if (!MEM_NEW(dealt, count))
        return out_of_memory(err);
    for (uint64_t i = 0; i < count; i++)
        dealt[i] = times ? (uint32_t)i : d->baskets.column[i];
    rng_seed(&rng, seed * GOLDEN + c);
    shuffle(dealt, count, &rng);
    int rc = deal(d, times ? dealt : NULL, times ? d->baskets.column : dealt, out, err);
    free(dealt);
    return rc;
}

/* Popularity, but for the target of every third question. */
static void score_leak(void *state, const struct split *split, uint32_t question, float *scores,
                       uint32_t worker)
{
    const struct questions *q = &split->questions;
    (void)state;
    (void)worker;
    for (uint32_t i = 0; i < split->train.item_count; i++)
        scores[i] = (float)split->train.item_orders[i];
    for (uint64_t t = q->target_start[question]; t < q->target_start[question + 1]; t++)
        if (question % LEAK_EVERY == 0 && q->target[t] != TARGET_LOST)
            scores[q->target[t]] = INFINITY;
}

struct run {
    const struct evaluation_params *params;
    enum canary canary;
    uint32_t k;
    struct trainings trainings;
    double *values[COLUMNS_MAX]; /* NDCG at k */
    struct canary_result *out;
};

static int ask(struct run *r, const struct contender *c, uint32_t column, struct error *err)
{
    const struct split *split = &r->trainings.test.split;
    const struct ranking_params params = {
        .list_length = r->k, .threads = r->params->threads, .progress = r->params->progress};
    progress_begin(params.progress, "leak canaries", split->questions.count);
    if (!MEM_NEW(r->values[column], split->questions.count))
        return out_of_memory(err);
    return trial_values(split, c, &params, r->values[column], err);
}

static int ask_entrant(struct run *r, const struct entrant *e, uint32_t column, struct error *err)
{
    struct contender c;
    int rc = entrant_train(e, &r->trainings.test, &c, err);
    if (rc)
        return rc;
    rc = ask(r, &c, column, err);
    contender_deinit(&c);
    return rc;
}

static int ask_all(struct run *r, struct error *err)
{
    const struct contender leak = {.name = "planted leak", .score = score_leak};
    int rc = ask_entrant(r, entrant_find(STR("popularity")), POPULARITY, err);
    if (rc == 0)
        rc = ask(r, &leak, PLANTED, err);
    for (uint32_t i = 0; rc == 0 && i < r->params->entrant_count; i++) {
        const struct entrant *e = r->params->entrants[i];
        r->out->models[i].name = e->name;
        r->out->models[i].must_fall = r->canary == CANARY_PERMUTED_ITEMS ||
                                      r->params->split.task != TASK_BASKET || e->needs_order;
        rc = ask_entrant(r, e, PLANTED + 1 + i, err);
    }
    r->out->model_count = r->params->entrant_count;
    return rc;
}

static int judge(struct run *r, struct error *err)
{
    const struct questions *q = &r->trainings.test.split.questions;
    const struct resample_params params = {.count = r->params->resamples,
                                           .seed = r->params->split.seed,
                                           .threads = r->params->threads,
                                           .progress = r->params->progress};
    struct canary_result *out = r->out;
    struct resamples s;
    int rc = resamples_make((const double *const *)r->values, out->model_count + PLANTED + 1,
                            q->count, q->cluster, q->cluster_count, &params, &s, err);
    if (rc)
        return rc;
    rc = resamples_interval(&s, PLANTED, POPULARITY, LEVEL, &out->planted_gain, err);
    out->planted_fired = out->planted_gain.low > 0;
    out->passed = out->planted_fired;
    for (uint32_t m = 0; rc == 0 && m < out->model_count; m++) {
        rc = resamples_interval(&s, PLANTED + 1 + m, POPULARITY, LEVEL, &out->models[m].gain, err);
        out->models[m].fired = out->models[m].must_fall && out->models[m].gain.low > 0;
        out->passed = out->passed && !out->models[m].fired;
    }
    resamples_deinit(&s);
    return rc;
}

int canary_run(const struct dataset *d, const struct evaluation_params *params, enum canary c,
               struct canary_result *out, struct error *err)
{
    struct run r = {
        .params = params, .canary = c, .k = params->k ? params->k : DEFAULT_K, .out = out};
    struct training_params training = {.split = params->split,
                                       .timed = params->timed,
                                       .keep = params->keep,
                                       .threads = params->threads,
                                       .progress = params->progress};
    struct dataset dealt;
    *out = (struct canary_result){0};
    for (uint32_t i = 0; i < params->entrant_count; i++)
        training.validation = training.validation || params->entrants[i]->needs_valid;
    int rc = canary_dataset(d, c, params->split.seed, &dealt, err);
    if (rc)
        return rc;
    rc = trainings_make(&dealt, &training, &r.trainings, err);
    if (rc == 0)
        rc = ask_all(&r, err);
    if (rc == 0)
        rc = judge(&r, err);
    for (uint32_t column = 0; column < COLUMNS_MAX; column++)
        free(r.values[column]);
    trainings_deinit(&r.trainings);
    dataset_deinit(&dealt);
    return rc;
}
