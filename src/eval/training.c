#include "eval/training.h"

#include "base/clock.h"
#include "eval/trial.h"

/* Partners of an item that are kept: all in most shops, and what fits in memory in the largest. */
#define PAIRS_MAX 4000

static int count_pairs(struct training *t, struct error *err)
{
    const struct cooc_params params = {
        .max_per_row = PAIRS_MAX, .threads = t->threads, .progress = t->progress};
    double cpu_s = clock_cpu_s();
    uint64_t begin = clock_mono_ns();
    int rc = cooc_count(t->units, &params, &t->pairs, err);
    t->pairs_cpu_s = clock_cpu_s() - cpu_s;
    t->pairs_wall_s = (double)(clock_mono_ns() - begin) * 1e-9;
    return rc;
}

static int make(const struct dataset *d, const struct training_params *params, enum stage stage,
                struct training *t, struct error *err)
{
    t->timed = params->timed;
    t->keep = params->keep;
    t->threads = params->threads;
    t->seed = params->split.seed;
    t->progress = params->progress;
    progress_begin(t->progress, "splitting", 0);
    int rc = split_make(d, &params->split, stage, &t->split, err);
    if (rc == 0)
        rc = split_check(&t->split, d, err);
    if (rc == 0)
        rc = histories_of_users(&t->split.train, &t->histories, err);
    if (rc == 0)
        rc = histories_sets(&t->histories, &t->sets, err);
    if (rc == 0)
        rc = popularity_build(&t->split.train, 0, &t->popularity, err);
    t->units = t->split.task == TASK_BASKET ? &t->split.train.baskets : &t->sets;
    return rc ? rc : count_pairs(t, err);
}

int trainings_make(const struct dataset *d, const struct training_params *params,
                   struct trainings *out, struct error *err)
{
    *out = (struct trainings){0};
    int rc = make(d, params, STAGE_TEST, &out->test, err);
    if (rc == 0 && params->validation) {
        rc = make(d, params, STAGE_VALID, &out->valid, err);
        out->test.earlier = &out->valid;
    }
    if (rc)
        trainings_deinit(out);
    return rc;
}

static void deinit(struct training *t)
{
    split_deinit(&t->split);
    histories_deinit(&t->histories);
    csr_deinit(&t->sets);
    cooc_deinit(&t->pairs);
    popularity_deinit(&t->popularity);
}

void trainings_deinit(struct trainings *t)
{
    deinit(&t->test);
    deinit(&t->valid);
    *t = (struct trainings){0};
}

int training_try(const struct training *t, const struct contender *c, uint32_t k, double *ndcg,
                 struct error *err)
{
    const struct ranking_params params = {
        .list_length = k, .threads = t->threads, .progress = t->progress};
    struct trial trial;
    int rc = trial_make(&t->split, c, &params, false, &trial, err);
    if (rc == 0)
        *ndcg = trial.ndcg;
    return rc;
}
