/* How well a learner's scores rank what was hidden, by the protocols of published figures. All
 * items are ranked: score descending, then more units, then the smaller number; the context is left
 * out.
 *
 * Basket completion: UCI Online Retail, the first 80 % of the baskets for training; up to three
 * random items of each later basket are asked for in turn, given all its others.
 * Last item: a file of sequences; the last item of each is asked for, given all before it, after
 * training without the last two. */
#ifndef SUPPORT_PROTOCOL_H
#define SUPPORT_PROTOCOL_H

#include "data/histories.h"
#include "support/uci.h"

struct outcome {
    uint32_t questions;
    double hit_rate, ndcg; /* of the first 10 */
    double coverage;       /* share of the items among the first 10 of any question */
};

/* Adds the scores of all items for the context, oldest first. */
typedef void protocol_scorer(const void *model, const uint32_t *context, uint32_t count,
                             float *scores);

/* Sum of the rows of the context; the item t steps from its end counts decay^t. */
struct protocol_rows {
    const struct csr *rows;
    float decay;
};
protocol_scorer protocol_by_rows;

struct completion {
    struct uci uci;
    struct dataset train;
    uint32_t *index; /* [codes] the training set's number of a code, UINT32_MAX: none */
    uint32_t first_test;
};
/* False: the data is not there ("skipped: no shared data" is printed). */
bool completion_load(struct completion *c);
void completion_free(struct completion *c);
struct outcome completion_rank(const struct completion *c, protocol_scorer *score,
                               const void *model);

struct lastitem {
    struct histories all;
    struct histories train; /* without the last two of each */
    struct csr sets;        /* of train */
    uint32_t *units;        /* [item_count] sets with the item */
};
bool lastitem_load(struct lastitem *l, const char *name);
void lastitem_free(struct lastitem *l);
struct outcome lastitem_rank(const struct lastitem *l, protocol_scorer *score, const void *model);

#endif
