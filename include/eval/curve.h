/* What a knob of /recommend costs and gives: one model, asked the same questions at several of the
 * knob's values. */
#ifndef EVAL_CURVE_H
#define EVAL_CURVE_H

#include "base/str.h"

enum curve { CURVE_NONE, CURVE_NOVELTY, CURVE_DIVERSITY, CURVE_COUNT };
const char *curve_name(enum curve c); /* NULL for none; "novelty", "diversity" */
int curve_parse(struct str name);     /* -1: unknown */

/* Ascending from 0; names are static: "novelty 0.05". */
struct curve_point {
    const char *name;
    double value;
};
const struct curve_point *curve_points(enum curve c, uint32_t *count);
#endif
