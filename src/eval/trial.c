/* The first list_length places say all that is needed, so a ranking is dropped at once. */
#include "eval/trial.h"

#include "base/mem.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>

/* tail_share may be NULL. */
static int rank(const struct split *split, const struct contender *c,
                const struct ranking_params *params, double *ndcg, double *tail_share,
                struct error *err)
{
    struct ranking ranking;
    uint32_t k = params->list_length;
    int rc = ranking_make(split, c, params, &ranking, err);
    if (rc)
        return rc;
    rc = quality_values(split, &ranking, QUALITY_NDCG, k, SEGMENT_ALL, ndcg, err);
    if (rc == 0 && tail_share)
        *tail_share = list_tail_share(split, &ranking, k);
    ranking_deinit(&ranking);
    return rc;
}

int trial_values(const struct split *split, const struct contender *c,
                 const struct ranking_params *params, double *ndcg, struct error *err)
{
    return rank(split, c, params, ndcg, NULL, err);
}

int trial_make(const struct split *split, const struct contender *c,
               const struct ranking_params *params, bool odd, struct trial *out, struct error *err)
{
    const struct questions *q = &split->questions;
    struct trial made = {0};
    double *ndcg;
    if (!MEM_NEW(ndcg, q->count))
        return error_set(err, ERR_NOMEM, "trial: out of memory");
    int rc = rank(split, c, params, ndcg, &made.tail_share, err);
    for (uint32_t i = 0; i < q->count && odd && rc == 0; i++)
        if (q->cluster[i] % 2 == 0)
            ndcg[i] = NAN;
    if (rc == 0) {
        made.ndcg = mean_of(ndcg, q->count, &made.questions);
        *out = made;
    }
    free(ndcg);
    return rc;
}
