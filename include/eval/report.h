/* An evaluation as text. Numbers that are nobody's business of rounding are in the JSON. */
#ifndef EVAL_REPORT_H
#define EVAL_REPORT_H

#include "base/buf.h"
#include "eval/canary.h"

struct report_input {   /* what was evaluated */
    const char *source; /* as its user called it */
    const char *format;
    const char *model;                    /* whose curve it is; NULL: no curve */
    uint64_t hash;                        /* of the orders and item ids */
    const struct canary_result *canaries; /* [CANARY_COUNT], or NULL: not run */
};

/* One object, documented in docs/evaluation.md. */
void report_json(const struct evaluation *e, const struct evaluation_params *params,
                 const struct report_input *input, struct buf *out);
/* For a terminal: what was asked, a line a model, how it compares; `segments`: those too. */
void report_table(const struct evaluation *e, const struct evaluation_params *params,
                  const struct report_input *input, bool segments, struct buf *out);
/* A chart that stands by itself: the hit rate (of many targets: the recall) and the NDCG at k, with
 * their intervals; of a curve, NDCG and recall, coverage, tail share and diversity by the knob's
 * value. */
void report_svg(const struct evaluation *e, const struct evaluation_params *params,
                const struct report_input *input, struct buf *out);
void report_curve_svg(const struct evaluation *e, const struct evaluation_params *params,
                      const struct report_input *input, struct buf *out);
/* Escaped for the text of an element. */
void report_svg_text(struct buf *out, const char *text);
#endif
