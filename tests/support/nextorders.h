/* What a shopper's next order holds, asked of UCI Online Retail: all orders in time order, the
 * first part learnt from, then each shopper's first order behind it is to be guessed from theirs in
 * it. Recall at 10 is the mean over shoppers of the share of that order's known items among the
 * first ten; the repeat recall looks at those only that they had bought before. */
#ifndef SUPPORT_NEXTORDERS_H
#define SUPPORT_NEXTORDERS_H

#include "learn/nextbasket.h"
#include "support/uci.h"

struct nextorders {
    struct uci uci;
    struct dataset train;
    struct histories history; /* of train's users */
    uint32_t *item_of;        /* [uci.codes.count] train's index of a code, UINT32_MAX: none */
    uint32_t *order;          /* [history.count] the basket of uci to guess, UINT32_MAX: none */
};

struct recall {
    double all, repeat;
    uint32_t shoppers;
};

/* Learns from part/of of the orders; false: there is no shared data. */
bool nextorders_uci(struct nextorders *out, uint32_t part, uint32_t of);
void nextorders_free(struct nextorders *n);

/* Prints and returns what scores reach; ties go to the more popular, then to the lower item. */
struct recall nextorders_recall(const struct nextorders *n, const char *name,
                                void (*score)(void *context, const struct history *of,
                                              int64_t now_ms, float *score),
                                void *context);

#endif
