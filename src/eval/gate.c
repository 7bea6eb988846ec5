/* Two rankings of the same questions, their NDCG question by question, and the paired bootstrap of
 * the difference over shoppers. */
#include "eval/gate.h"

#include "base/mem.h"
#include "eval/trial.h"

#include <math.h>
#include <stdlib.h>

#define DEFAULT_CUTOFF 10
#define DEFAULT_LEVEL  0.95

enum { LIVE, CANDIDATE, COLUMNS };

struct verdict {
    const struct split *split;
    const struct gate_params *params;
    uint32_t cutoff, count, clusters;
    double *value[COLUMNS]; /* [questions] then the first `count` are those that judge */
    uint32_t *cluster;      /* [count] below `clusters` */
};

static int answer(struct verdict *v, int column, const struct contender *c, struct error *err)
{
    const struct ranking_params params = {
        .list_length = v->cutoff, .threads = v->params->threads, .progress = v->params->progress};
    if (!MEM_NEW(v->value[column], v->split->questions.count))
        return error_set(err, ERR_NOMEM, "gate: out of memory");
    return trial_values(v->split, c, &params, v->value[column], err);
}

/* Keeps the values of the questions that judge. Their clusters are numbered anew: a resample that
 * drew from all of a split's could miss those that judge. */
static int choose(struct verdict *v, struct error *err)
{
    const struct questions *q = &v->split->questions;
    uint32_t *number; /* [cluster_count] + 1; 0: none yet */
    MEM_NEW(v->cluster, q->count);
    MEM_ZNEW(number, q->cluster_count);
    if (!v->cluster || !number) {
        free(number);
        return error_set(err, ERR_NOMEM, "gate: out of memory");
    }
    for (uint32_t i = 0; i < q->count; i++) {
        bool judges = q->cluster[i] % 2 == 1 && q->asked_ms[i] > v->params->after_ms;
        if (!judges || isnan(v->value[LIVE][i]) || isnan(v->value[CANDIDATE][i]))
            continue;
        for (int c = 0; c < COLUMNS; c++)
            v->value[c][v->count] = v->value[c][i];
        uint32_t *own = &number[q->cluster[i]];
        *own = *own ? *own : ++v->clusters;
        v->cluster[v->count++] = *own - 1;
    }
    free(number);
    return 0;
}

static int compare(const struct verdict *v, struct gate *out, struct error *err)
{
    const double *values[] = {v->value[LIVE], v->value[CANDIDATE]};
    struct resamples resamples;
    struct resample_params params = {.count = v->params->resamples,
                                     .seed = v->params->seed,
                                     .threads = v->params->threads,
                                     .progress = v->params->progress};
    double level = v->params->level > 0 ? v->params->level : DEFAULT_LEVEL;
    int rc = resamples_make(values, COLUMNS, v->count, v->cluster, v->clusters, &params, &resamples,
                            err);
    if (rc)
        return rc;
    rc = resamples_interval(&resamples, CANDIDATE, LIVE, level, &out->difference, err);
    out->ndcg_live = resamples.observed[LIVE];
    out->ndcg_new = resamples.observed[CANDIDATE];
    resamples_deinit(&resamples);
    return rc;
}

static int judge(struct verdict *v, const struct contender *live, const struct contender *candidate,
                 struct gate *out, struct error *err)
{
    int rc = answer(v, LIVE, live, err);
    if (rc == 0)
        rc = answer(v, CANDIDATE, candidate, err);
    if (rc == 0)
        rc = choose(v, err);
    out->questions = v->count;
    out->clusters = v->clusters;
    if (rc || v->count < GATE_QUESTIONS_LEAST || v->clusters < GATE_CLUSTERS_LEAST)
        return rc;
    rc = compare(v, out, err);
    out->judged = rc == 0;
    out->refused = out->judged && out->difference.high < 0;
    return rc;
}

int gate_judge(const struct split *split, const struct contender *live,
               const struct contender *candidate, const struct gate_params *params,
               struct gate *out, struct error *err)
{
    struct verdict v = {.split = split,
                        .params = params,
                        .cutoff = params->cutoff ? params->cutoff : DEFAULT_CUTOFF};
    struct gate made = {0};
    int rc = judge(&v, live, candidate, &made, err);
    free(v.value[LIVE]);
    free(v.value[CANDIDATE]);
    free(v.cluster);
    if (rc == 0)
        *out = made;
    return rc;
}

void gate_json(const struct gate *g, struct buf *out)
{
    buf_printf(out, "{\"judged\":%s,\"refused\":%s,\"questions\":%u", g->judged ? "true" : "false",
               g->refused ? "true" : "false", g->questions);
    if (g->judged) {
        buf_text(out, ",\"ndcg_live\":");
        buf_f64(out, g->ndcg_live);
        buf_text(out, ",\"ndcg_new\":");
        buf_f64(out, g->ndcg_new);
        buf_text(out, ",\"difference\":");
        interval_json(&g->difference, out);
    }
    buf_char(out, '}');
}
