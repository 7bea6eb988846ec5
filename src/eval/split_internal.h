/* The two halves of making a split. */
#ifndef EVAL_SPLIT_INTERNAL_H
#define EVAL_SPLIT_INTERNAL_H

#include "eval/split.h"

enum role { ROLE_NONE, ROLE_TEACHES, ROLE_ASKS };

struct cutting {
    const struct dataset *d;
    struct split_params params;      /* no zeros left */
    uint8_t *role;                   /* [d->basket_count] enum role */
    uint32_t visit_begin, visit_end; /* those that ask; the ones before teach */
    int64_t asks_ms;                 /* visits ask for what they came to from then on */
    uint32_t *item;      /* [d->item_count] its number in the training; TARGET_LOST: none */
    struct split *split; /* being made */
};

/* From the roles, with the training made: split->questions and its counts. */
int questions_make(struct cutting *c, struct error *err) WARN_UNUSED;
int questions_of_visits(struct cutting *c, struct error *err) WARN_UNUSED;
void questions_deinit(struct questions *q);

#endif
