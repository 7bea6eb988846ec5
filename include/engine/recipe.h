/* The recipe of a model: which learners speak in which matrix, with which parameters, and how each
 * surface adds the matrices up. Chosen on a later slice of the orders (eval/fit.h) or the default,
 * and kept with the model.
 *
 * A model has one matrix for each way in which items come together; the rows of all learners of a
 * matrix are added up when the model is built (learn/combine.h), each normalised by its scale: the
 * mean over all sales of the largest weight in the sold item's row. */
#ifndef ENGINE_RECIPE_H
#define ENGINE_RECIPE_H

#include "engine/ingredient.h"

/* What a surface adds up. An item t steps from the end of the context counts decay^t. */
enum mix_kind { MIX_BASKET, MIX_SIMILAR, MIX_PERSONAL, MIX_SESSION, MIX_COUNT };
const char *mix_name(enum mix_kind kind); /* "basket", "similar", "personal", "session" */
/* Whether `habit` counts: where the shopper is known and what they bought may be answered, in a
 * basket and, if the question wants that, in personal. */
static inline bool mix_has_habit(enum mix_kind kind)
{
    return kind == MIX_BASKET || kind == MIX_PERSONAL;
}

struct mix {
    float weight[MATRIX_COUNT]; /* >= 0; 0: the matrix has no say */
    float decay[MATRIX_COUNT];  /* (0,1] */
    float habit; /* >= 0: of each of the known shopper's earlier orders with the item, the newest
                    counting 1, each one before it habit_decay times as much */
    float habit_decay; /* (0,1] */
    float neighbours;  /* >= 0: of the past visits most like this one (learn/sessionknn.h, STAN), as
                          a share of the item they speak for the most */
    float popular, recent; /* >= 0: of an item's orders of all time and of the last 28 days, each as
                              a share of the best seller's */
    float novelty; /* [0,1]: popularity exponent that scores are divided by, unless a question has
                      its own (train.tail_target) */
};

#define RECIPE_INGREDIENTS_MAX 32
struct recipe {
    struct ingredient ingredients[RECIPE_INGREDIENTS_MAX];
    uint32_t ingredient_count;
    struct mix mixes[MIX_COUNT];
};

/* What a shop with too few orders to choose by gets; good on all data tried (docs/evaluation.md).
 */
void recipe_default(struct recipe *r);

/* Holds the learners to what a shop of so many items has time for: a ridge costs the cube of its
 * neighbours for each item. With more than 20,000 items a ridge has at most 50 neighbours, a
 * sequence a distance of 20, sgns 32 dimensions, other vectors 64, whoever chose the recipe and for
 * whatever shop. Changes nothing in a smaller one. */
void recipe_bound(struct recipe *r, uint32_t items);

/* True when every number is in its range; else false and *what names the first that is not. */
bool recipe_valid(const struct recipe *r, const char **what);

/* {"ingredients":[{"matrix":"orders","learner":"ridge","share":1,"neighbours":200,…}],
 *  "mixes":{"basket":{"weights":{"orders":1},"decays":{…},"popular":0,"recent":0},…}} */
void recipe_json(const struct recipe *r, struct buf *out);
#endif
