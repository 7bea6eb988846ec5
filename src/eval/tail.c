#include "eval/tail.h"

#include "eval/trial.h"

#define CUTOFF   10
#define HALVINGS 7

static int try_novelty(const struct split *split, const struct contender *c, double novelty,
                       const struct ranking_params *params, struct trial *out, struct error *err)
{
    const struct ranking_params asked = {.list_length = CUTOFF,
                                         .novelty = novelty,
                                         .threads = params->threads,
                                         .progress = params->progress};
    return trial_make(split, c, &asked, false, out, err);
}

int tail_fit(const struct split *split, const struct contender *c, double target,
             const struct ranking_params *params, struct tail_fit *out, struct error *err)
{
    struct trial without, best, trial;
    double low = 0, high = 1;
    int rc = try_novelty(split, c, 0, params, &without, err);
    if (rc)
        return rc;
    *out = (struct tail_fit){.target = target,
                             .share_without = without.tail_share,
                             .share = without.tail_share,
                             .ndcg_without = without.ndcg,
                             .ndcg = without.ndcg};
    if (without.tail_share >= target)
        return 0;
    rc = try_novelty(split, c, high, params, &best, err);
    for (int n = 0; rc == 0 && n < HALVINGS && best.tail_share >= target; n++) {
        double middle = (low + high) / 2;
        rc = try_novelty(split, c, middle, params, &trial, err);
        if (rc == 0 && trial.tail_share >= target) {
            high = middle;
            best = trial;
        } else {
            low = middle;
        }
    }
    if (rc)
        return rc;
    out->novelty = high;
    out->share = best.tail_share;
    out->ndcg = best.ndcg;
    return 0;
}

void tail_json(const struct tail_fit *t, struct buf *out)
{
    const struct {
        const char *name;
        double value;
    } members[] = {{"target", t->target},
                   {"novelty", t->novelty},
                   {"share_without", t->share_without},
                   {"share", t->share},
                   {"ndcg_without", t->ndcg_without},
                   {"ndcg", t->ndcg}};
    for (size_t x = 0; x < sizeof members / sizeof *members; x++) {
        buf_printf(out, "%c\"%s\":", x ? ',' : '{', members[x].name);
        buf_f64(out, members[x].value);
    }
    buf_char(out, '}');
}
