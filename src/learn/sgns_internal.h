/* What a round of the training learns from, dealt so that threads need not share a row. A round
 *
 *   1. draws pairs of items from baskets;
 *   2. deals the items into blocks at random, anew each round, and the pairs into strata (block of
 *      the in-item, block of the out-item);
 *   3. makes a noise distribution for each block: negatives come from the block of the positive,
 *      and over the rounds from everywhere.
 *
 * The same for any number of threads. */
#ifndef LEARN_SGNS_INTERNAL_H
#define LEARN_SGNS_INTERNAL_H

#include "base/parallel.h"
#include "base/rng.h"
#include "data/dataset.h"

#define BLOCKS_MAX 16

struct deal_pair {
    uint32_t in, out;
};

/* One column of Vose's table: the item with probability accept / 2^32, else the alias. */
struct deal_noise {
    uint32_t item, alias, accept;
};

struct deal {
    const struct dataset *d; /* these until max_pairs by the caller */
    uint64_t seed;
    float power;
    uint32_t workers, pairs, epochs;
    uint64_t max_pairs;

    uint32_t blocks;
    float *noise_weight;      /* [items] n_j^power */
    uint32_t *order;          /* [items] the items block by block */
    uint8_t *block_of;        /* [items] */
    struct deal_noise *noise; /* [items] the blocks' tables, one after the other */
    uint32_t *usable;         /* baskets of two items or more */
    uint32_t usable_count;
    uint64_t total_pairs; /* of the whole training, expected */
    /* the round */
    uint64_t round;
    uint32_t round_pairs; /* wanted */
    uint32_t pair_count;  /* had */
    uint32_t *basket;     /* [basket_count] drawn */
    uint32_t *first_pair; /* [basket_count + 1] */
    uint32_t basket_count;
    struct deal_pair *drawn, *dealt;               /* [pair_count] dealt: stratum by stratum */
    uint32_t stratum[BLOCKS_MAX * BLOCKS_MAX + 1]; /* in_block x blocks + out_block: its begin */
    struct cursor cursor;
};

/* After an error too, deal_deinit. ERR_NOMEM. */
int deal_init(struct deal *deal) WARN_UNUSED;
void deal_deinit(struct deal *deal);
/* Draws and deals round deal->round. ERR_NOMEM. */
int deal_round(struct deal *deal) WARN_UNUSED;

/* A block's first place in `order` and `noise`; that of the block after the last: item_count. */
uint32_t deal_block_start(const struct deal *deal, uint32_t block);
uint32_t deal_round_pairs(uint64_t total); /* that a round wants, of a training of so many pairs */

/* What a generator is for, so that none repeats another. */
enum deal_stream { STREAM_VECTORS = 1, STREAM_ROUND, STREAM_PIECE, STREAM_STRATUM };
void deal_seed(struct rng *r, uint64_t seed, enum deal_stream stream, uint64_t number);

#endif
