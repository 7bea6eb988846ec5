#include "eval/curve.h"

#include <stddef.h>

static const struct curve_point novelty[] = {
    {"novelty 0", 0},    {"novelty 0.05", .05}, {"novelty 0.1", .1}, {"novelty 0.15", .15},
    {"novelty 0.2", .2}, {"novelty 0.3", .3},   {"novelty 0.4", .4}, {"novelty 0.5", .5},
    {"novelty 0.6", .6}, {"novelty 0.8", .8},   {"novelty 1", 1},
};
static const struct curve_point diversity[] = {
    {"diversity 0", 0},    {"diversity 0.1", .1}, {"diversity 0.2", .2}, {"diversity 0.3", .3},
    {"diversity 0.4", .4}, {"diversity 0.5", .5}, {"diversity 0.6", .6}, {"diversity 0.7", .7},
    {"diversity 0.8", .8}, {"diversity 0.9", .9}, {"diversity 1", 1},
};

static const char *const names[CURVE_COUNT] = {
    [CURVE_NOVELTY] = "novelty", [CURVE_DIVERSITY] = "diversity"};

const char *curve_name(enum curve c)
{
    return names[c];
}

int curve_parse(struct str name)
{
    for (int c = CURVE_NONE + 1; c < CURVE_COUNT; c++)
        if (str_eq(name, str_of(names[c])))
            return c;
    return -1;
}

const struct curve_point *curve_points(enum curve c, uint32_t *count)
{
    *count = c == CURVE_NOVELTY     ? sizeof novelty / sizeof novelty[0]
             : c == CURVE_DIVERSITY ? sizeof diversity / sizeof diversity[0]
                                    : 0;
    return c == CURVE_NOVELTY ? novelty : c == CURVE_DIVERSITY ? diversity : NULL;
}
