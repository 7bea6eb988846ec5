/* The alternatives worth trying: figures behind them are in docs/evaluation.md. */
#include "eval/fit.h"

static void add(struct recipe *r, struct ingredient g)
{
    r->ingredients[r->ingredient_count++] = g;
}

static void add_ridge(struct recipe *r, enum matrix_kind matrix, uint32_t neighbours, float lambda,
                      float unit_power)
{
    add(r, (struct ingredient){.matrix = matrix,
                               .learner = LEARNER_RIDGE,
                               .neighbours = neighbours,
                               .lambda = lambda,
                               .unit_power = unit_power});
}

static void add_sequence(struct recipe *r, float count_power, float source_power,
                         float target_power)
{
    add(r, (struct ingredient){.matrix = MATRIX_NEXT,
                               .learner = LEARNER_SEQUENCE,
                               .distance = 50,
                               .gap_power = 0.7f,
                               .count_power = count_power,
                               .source_power = source_power,
                               .target_power = target_power});
}

void recipe_menu(struct recipe *r, uint32_t items)
{
    recipe_default(r);
    add(r, (struct ingredient){.matrix = MATRIX_ORDERS,
                               .learner = LEARNER_RIDGE,
                               .neighbours = 100,
                               .lambda = 10,
                               .unit_power = 0.3f,
                               .half_life_days = 120});
    add_ridge(r, MATRIX_ORDERS, 200, 50, 0.5f);
    add_ridge(r, MATRIX_ORDERS, 200, 200, 0.5f);
    add(r, (struct ingredient){.matrix = MATRIX_ORDERS, .learner = LEARNER_COSINE});
    add(r, (struct ingredient){.matrix = MATRIX_ORDERS, .learner = LEARNER_JACCARD});
    add(r, (struct ingredient){.matrix = MATRIX_ORDERS, .learner = LEARNER_CONFIDENCE});
    add(r,
        (struct ingredient){.matrix = MATRIX_SHOPPERS, .learner = LEARNER_COSINE, .min_count = 2});
    add_ridge(r, MATRIX_SHOPPERS, 100, 20, 0);
    add_ridge(r, MATRIX_SHOPPERS, 100, 200, 0);
    add(r, (struct ingredient){.matrix = MATRIX_SHOPPERS, .learner = LEARNER_LOWRANK, .rank = 128});
    add(r, (struct ingredient){.matrix = MATRIX_SHOPPERS, .learner = LEARNER_SOFTMAX, .rank = 64});
    add_sequence(r, 0.7f, 0.35f, 0);
    add_sequence(r, 0.7f, 0.2f, 0.1f);
    add_sequence(r, 1, 0.5f, 0.1f);
    add_sequence(r, 1, 0.5f, 0.2f);
    recipe_bound(r, items);
}
