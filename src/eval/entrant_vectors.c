/* Learners of vectors. */
#include "entrant_internal.h"

#include "eval/contender_vectors.h"
#include "learn/lowrank.h"
#include "learn/sgns.h"
#include "learn/softmax.h"

#define LOWRANK_DECAY .8f

int entrant_train_lowrank(const struct training *t, struct contender *out, struct error *err)
{
    const struct lowrank_params params = {.threads = t->threads, .progress = t->progress};
    struct embeddings vectors;
    int rc = lowrank_train(t->units, &params, &vectors, NULL, err);
    if (rc)
        return rc;
    return contender_vectors("lowrank", &vectors, t->split.task == TASK_BASKET ? 1 : LOWRANK_DECAY,
                             out, err);
}

/* Over the units, which for shoppers are not the baskets of the dataset. */
int entrant_train_sgns(const struct training *t, struct contender *out, struct error *err)
{
    const struct sgns_params params = {
        .seed = t->seed, .threads = t->threads, .progress = t->progress};
    const struct dataset units = {.item_count = t->units->cols,
                                  .basket_count = t->units->rows,
                                  .item_orders = t->pairs.item_units,
                                  .baskets = *t->units};
    struct embeddings vectors;
    int rc = sgns_train(&units, &params, &vectors, err);
    return rc ? rc : contender_vectors("sgns", &vectors, entrant_decay(t), out, err);
}

int entrant_train_ials(const struct training *t, struct contender *out, struct error *err)
{
    const struct ials_params params = {
        .seed = t->seed, .threads = t->threads, .progress = t->progress};
    struct ials made;
    int rc = ials_train(t->units, &params, &made, err);
    return rc ? rc : contender_ials("ials", &made, &t->split, t->threads, out, err);
}

int entrant_train_softmax(const struct training *t, struct contender *out, struct error *err)
{
    const struct softmax_params params = {.seed = t->seed, .progress = t->progress};
    struct embeddings vectors;
    int rc = softmax_train(&t->histories, &params, &vectors, err);
    return rc ? rc : contender_vectors("softmax", &vectors, entrant_decay(t), out, err);
}
