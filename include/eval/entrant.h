/* The learners an evaluation knows by name: each makes a contender of a training. A new one is a
 * line in the table of src/eval/entrant.c. */
#ifndef EVAL_ENTRANT_H
#define EVAL_ENTRANT_H

#include "engine/ingredient.h"
#include "eval/training.h"

struct entrant {
    const char *name, *about;
    bool baseline;       /* always shown beside others */
    bool needs_times;    /* of the clock */
    bool needs_order;    /* nothing to learn where times and shoppers are shuffled */
    bool needs_shoppers; /* orders that name them, and questions about one */
    bool of_shoppers;    /* orders that name them */
    bool needs_past;     /* shoppers with histories */
    bool not_rebuy, only_rebuy;
    bool needs_valid;  /* chooses parameters on the validation */
    bool slow;         /* asked only when named */
    bool counts_pairs; /* its cost includes counting them */
    int (*train)(const struct training *t, struct contender *out, struct error *err);
    struct ingredient learner; /* without `train`: its rows alone, as a model has them */
};

const struct entrant *entrant_list(uint32_t *count);
const struct entrant *entrant_find(struct str name); /* NULL: unknown */
/* A learner of a recipe by itself, such as "orders/ridge:lambda=50" (ingredient_parse). Keeps the
 * pointer as its name. ERR_INVALID. */
int entrant_of_learner(const char *text, struct entrant *out, struct error *err) WARN_UNUSED;
/* Why it cannot be asked for such data; NULL: it can. Static string. */
const char *entrant_problem(const struct entrant *l, const struct split_params *split, bool timed,
                            bool shoppers);

/* Trains, with what it cost noted. ERR_NOMEM, ERR_CANCELLED, what the learner says. */
int entrant_train(const struct entrant *l, const struct training *t, struct contender *out,
                  struct error *err) WARN_UNUSED;
#endif
