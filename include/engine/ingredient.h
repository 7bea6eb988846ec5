/* An ingredient of a recipe: one learner's rows in one matrix, and what the learner was told. The
 * table of parameters in ingredient.c says all there is to say: names, whose, ranges, defaults;
 * checking, JSON and text are made of it. Pure functions; any thread. */
#ifndef ENGINE_INGREDIENT_H
#define ENGINE_INGREDIENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum matrix_kind {
    MATRIX_ORDERS,   /* in one order */
    MATRIX_SHOPPERS, /* by one shopper, whenever */
    MATRIX_NEXT,     /* by one shopper, this after that */
    MATRIX_ALIKE,    /* instead of each other: rows of look-alikes */
    MATRIX_VISITS,   /* looked at in one visit, this after that */
    MATRIX_COUNT
};
const char *matrix_name(enum matrix_kind kind); /* "orders", "shoppers", … */

enum learner_kind {
    LEARNER_COSINE,
    LEARNER_JACCARD,
    LEARNER_LLR,
    LEARNER_CONFIDENCE,
    LEARNER_RIDGE,
    LEARNER_SEQUENCE,
    LEARNER_LOWRANK,
    LEARNER_IALS,
    LEARNER_SGNS,
    LEARNER_SOFTMAX,
    LEARNER_STAN,
    LEARNER_COUNT
};
const char *learner_name(enum learner_kind learner); /* "cosine", … */

struct ingredient {
    enum matrix_kind matrix;
    enum learner_kind learner;
    float share;          /* of the learner's normalised rows in the matrix; 0: not made */
    uint32_t min_count;   /* cosine, jaccard, llr, confidence: units a pair needs; 0: 1 */
    uint32_t neighbours;  /* ridge: K; stan: how many histories an item hears */
    float lambda;         /* ridge */
    float unit_power;     /* ridge: a unit of b items counts b^-unit_power */
    float half_life_days; /* ridge of orders: an order counts half after so many days; 0: never */
    uint32_t distance;    /* sequence: D */
    float gap_power, count_power; /* sequence: above 0, which is no power but 1 to it */
    float source_power, target_power;
    uint32_t rank;       /* lowrank, ials, sgns, softmax: dimensions, at most 512;
                            sgns, ials: a multiple of 8; ials: at most 256 */
    float reg, unseen;   /* ials: its reg and a0 */
    float ageing, reach; /* stan: its l2 and l3 */
};

/* NULL when every number is in its range and the learner makes rows of such a matrix; else names
 * what is not so. Static string. */
const char *ingredient_fault(const struct ingredient *g);

/* {"matrix":"orders","learner":"ridge","share":1,"neighbours":200,…} */
void ingredient_json(const struct ingredient *g, struct buf *out);

/* "orders/ridge:lambda=50:neighbours=100": share 1, and the learner's defaults for what is not
 * said. ERR_INVALID says what is wrong and what there is. */
int ingredient_parse(struct str text, struct ingredient *out, struct error *err) WARN_UNUSED;
#endif
