/* The champion gate: may a new model take the live one's place? Both answer the same questions of
 * orders that neither has seen; the new one may go live unless it is worse by more than chance.
 * Pure computation; any thread. */
#ifndef EVAL_GATE_H
#define EVAL_GATE_H

#include "base/buf.h"
#include "eval/compare.h"
#include "eval/contender.h"

struct gate_params {    /* zero = default */
    int64_t after_ms;   /* only questions asked later: what the live model may have learnt from */
    uint32_t cutoff;    /* of the NDCG; 0: 10 */
    double level;       /* of the interval; 0: .95 */
    uint32_t resamples; /* 0: 1000 */
    uint64_t seed;
    uint32_t threads;
    struct progress *progress;
};

struct gate {
    uint32_t questions, clusters; /* judged by; fewer than the least of either: not judged */
    double ndcg_live, ndcg_new;
    struct interval difference; /* new - live */
    bool judged, refused;
};
#define GATE_QUESTIONS_LEAST 100
#define GATE_CLUSTERS_LEAST  5

/* Judges by the questions of odd clusters: even ones are the fit's (fit_params.half). ERR_NOMEM,
 * ERR_CANCELLED. */
int gate_judge(const struct split *split, const struct contender *live,
               const struct contender *candidate, const struct gate_params *params,
               struct gate *out, struct error *err) WARN_UNUSED;

/* {"judged":true,"refused":false,"questions":812,"ndcg_live":.11,"ndcg_new":.12,
 *  "difference":{"value":.01,"low":.002,"high":.018}} */
void gate_json(const struct gate *g, struct buf *out);
#endif
