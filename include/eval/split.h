/* A dataset cut into what is learnt from and questions with known answers.
 *
 * time: the newest share of the orders asks, what is older teaches; no moment lies on both sides.
 * leave-last-out (for comparison with papers; it lets models see what others did later): each
 * shopper's last order is what is asked for, the one before is kept for validation, and what is
 * older teaches, unless `refit`. leave-one-out: the newest share of the baskets in order asks, each
 * for some of its items given its others.
 *
 * Of visits (the dataset's sessions) each asks or teaches as a whole, cut at the moment that cuts
 * the orders: one that was over before it teaches beside them, the others ask for what they came to
 * from then on.
 *
 * A split has two stages. STAGE_VALID cuts what the test leaves once more in the same way, for
 * choosing weights and parameters; STAGE_TEST asks the questions that count. No order that asks in
 * a stage is learnt from in it. Immutable after making; any thread reads. */
#ifndef EVAL_SPLIT_H
#define EVAL_SPLIT_H

#include "base/str.h"
#include "data/shape.h"

enum protocol { PROTOCOL_TIME, PROTOCOL_LEAVE_LAST_OUT, PROTOCOL_LEAVE_ONE_OUT };
const char *protocol_name(enum protocol p); /* "time", "leave-last-out", "leave-one-out" */
int protocol_parse(struct str name);        /* -1: unknown */

/* basket: the rest of this basket? personal: what new things next? rebuy: which of the bought ones
 * next? session: what next but the item just seen? */
enum task { TASK_BASKET, TASK_PERSONAL, TASK_REBUY, TASK_SESSION };
const char *task_name(enum task t);
int task_parse(struct str name);

enum stage { STAGE_VALID, STAGE_TEST };

struct split_params { /* zero = default */
    enum protocol protocol;
    enum task task;
    double test_share;      /* of the orders; 0: .1, leave-one-out .2 */
    double valid_share;     /* of all orders, before the test's; 0: .1 */
    uint32_t targets;       /* asked for at most of one basket, one a question; 0: 3 */
    uint32_t context_max;   /* of a basket's other items this many by chance; 0: all */
    uint32_t questions_max; /* about this many, orders chosen by chance; 0: all */
    bool anonymous;         /* basket: nobody's history is known */
    bool bought;            /* personal: items bought before may be asked for and answered */
    bool visits; /* session, by time: visits ask, as the server is asked: for an item that they have
                    not had, each at most once in what is given */
    bool refit;  /* leave-last-out: learn from the validation's orders too; others always do */
    uint64_t seed;
    const uint32_t *id_rank; /* [item_count of the dataset] ascending by external id, the last
                                tie-break; NULL: by key */
};

/* Puts the defaults where there is 0; split_make does so by itself. */
void split_defaults(struct split_params *params);

/* Which items are no answers. */
enum candidates {
    CANDIDATES_NOT_CONTEXT, /* all but the context */
    CANDIDATES_NOT_LAST,    /* all but the last item of the context */
    CANDIDATES_CONTEXT,     /* only the context */
    CANDIDATES_ALL
};

/* A target that no answer can name, and so is always missed: no training order has it, or, with
 * leave-last-out, it was bought before and what was bought is no candidate. */
#define TARGET_LOST UINT32_MAX

struct span {
    uint64_t begin, end; /* into struct questions' item and time_ms */
};

/* Items are those of the split's training dataset. */
struct questions {
    uint32_t count, cluster_count;
    struct span *context; /* [count] given, oldest first */
    struct span *history; /* [count] all the shopper had before, oldest first, repeats kept; empty:
                             nobody, or a new one. The context itself but for baskets and visits */
    uint64_t *target_start; /* [count + 1] */
    uint32_t *target;       /* distinct in a question, but for TARGET_LOST */
    uint32_t *cluster;      /* [count] the shopper, or the basket when there is none */
    int64_t *asked_ms;      /* [count] */
    uint32_t *order;        /* [count] the dataset's basket that asks; of visits, its session */
    uint32_t *item;
    int64_t *time_ms; /* of each item */
    uint64_t item_total;
};

struct split {
    struct dataset train; /* item_key as in the whole */
    uint32_t *taught;     /* [train.basket_count] the dataset's basket of each */
    bool visits;          /* ask; the training's are the first of the dataset's */
    uint32_t *rank; /* [train.item_count] place by (orders descending, external id): tie order */
    uint32_t head_items; /* the first of them that make 80 % of the order lines; the others are the
                            long tail */
    struct questions questions;
    enum candidates candidates;
    enum task task;
    enum protocol protocol;
    enum stage stage;
    uint64_t unknown_targets; /* lost as no training order has them */
    uint64_t repeat_targets;  /* lost as they were bought before */
    uint64_t seen_baskets;    /* asking baskets of two items and more that are, item for item, also
                                 in the training */
    uint64_t unasked_orders;  /* of the part that asks, without anything to ask for */
};

/* Does not keep the dataset. ERR_INVALID: parameters that contradict each other or are out of
 * range, nothing to learn from, no question (the text says which and what to change); ERR_NOMEM. */
int split_make(const struct dataset *d, const struct split_params *params, enum stage stage,
               struct split *out, struct error *err) WARN_UNUSED;
void split_deinit(struct split *s);
/* Most bytes of a split of a dataset of such a shape, and while it is made. */
struct split_estimate {
    uint64_t peak_bytes, held_bytes;
};
void split_estimate(const struct dataset_shape *shape, struct split_estimate *out);
/* By time: the first order that asks in STAGE_TEST. Orders of one moment go the same way. */
uint32_t split_time_begin(const struct dataset *d, double test_share);

/* The protocol's guarantees, checked from the outside on a made split: no order or visit of `d`
 * both taught and asked, no target in what it is to be found from, targets distinct, all items in
 * range. ERR_INTERNAL says which does not hold. `d` is the dataset it was made from. */
int split_check(const struct split *s, const struct dataset *d, struct error *err) WARN_UNUSED;
#endif
