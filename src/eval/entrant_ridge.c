/* Local ridge with the lambda that answers the validation best. */
#include "entrant_internal.h"

#include "learn/ridge.h"

#define CHOSEN_AT 10 /* NDCG */

static const float lambdas[] = {20, 50, 100, 200};
#define LAMBDA_COUNT (sizeof lambdas / sizeof lambdas[0])

static int make_rows(const struct training *t, const float *lambda, uint32_t count,
                     struct csr *rows, struct error *err)
{
    const struct ridge_params params = {.neighbours = t->split.task == TASK_BASKET ? 200 : 100,
                                        .lambdas = lambda,
                                        .lambda_count = count,
                                        .threads = t->threads,
                                        .progress = t->progress};
    return ridge_rows(&t->pairs, &params, rows, NULL, err);
}

static int choose(const struct training *earlier, uint32_t *best, struct error *err)
{
    struct csr rows[LAMBDA_COUNT];
    double most = -1;
    int rc = make_rows(earlier, lambdas, LAMBDA_COUNT, rows, err);
    if (rc)
        return rc;
    for (uint32_t l = 0; l < LAMBDA_COUNT; l++) {
        struct contender c = {0};
        double ndcg = 0;
        if (rc) {
            csr_deinit(&rows[l]);
            continue;
        }
        rc = entrant_rows(earlier, "ridge", &rows[l], &c, err);
        if (rc == 0)
            rc = training_try(earlier, &c, CHOSEN_AT, &ndcg, err);
        contender_deinit(&c);
        if (ndcg > most) {
            most = ndcg;
            *best = l;
        }
    }
    return rc;
}

int entrant_train_ridge(const struct training *t, struct contender *out, struct error *err)
{
    struct csr rows;
    uint32_t best = 1;
    int rc = t->earlier ? choose(t->earlier, &best, err) : 0;
    if (rc == 0)
        rc = make_rows(t, &lambdas[best], 1, &rows, err);
    return rc ? rc : entrant_rows(t, "ridge", &rows, out, err);
}
