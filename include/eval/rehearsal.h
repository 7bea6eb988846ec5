/* The rehearsal of a training: the newest orders are held back, the recipe is fitted and the model
 * it makes of the older ones judged on them against the live model; for session so are the visits
 * that were not over then. Then training may learn from all. Pure computation; any thread.
 *
 * Basket and personal fit the shares of their learners. Session, which has no learners of its own
 * but those of visits, fits what the matrices and the past visits like it weigh and leaves the
 * shares alone. */
#ifndef EVAL_REHEARSAL_H
#define EVAL_REHEARSAL_H

#include "engine/model.h"
#include "eval/fit.h"
#include "eval/gate.h"
#include "eval/tail.h"

struct rehearsal_params {      /* zero = default */
    double held_back;          /* share of the orders; 0: .1 */
    uint32_t questions;        /* of each surface; 0: 8000 */
    uint32_t keep;             /* entries of a row; 0: 200 */
    struct model *live;        /* NULL: nothing to compare with */
    const struct recipe *menu; /* to choose from; NULL: recipe_menu */
    bool without_gate;
    double tail_target; /* share of suggestions from the long tail; 0: as it comes */
    uint64_t seed;
    uint32_t threads;
    struct progress *progress;
};

/* Of one surface. */
struct rehearsed {
    enum mix_kind mix;
    bool held;         /* there were questions enough */
    char why_not[160]; /* else the reason */
    struct fit_report fit;
    struct tail_fit tail;
    struct gate gate; /* of answers without the exponent, which is a choice and not a fault */
};

enum { REHEARSED_BASKET, REHEARSED_PERSONAL, REHEARSED_SESSION, REHEARSED_COUNT };

struct rehearsal {
    struct recipe recipe;
    struct rehearsed surface[REHEARSED_COUNT];
    bool refused; /* by the gate of any surface */
};

/* ERR_NOMEM, ERR_CANCELLED, what learners say. Too few orders, or none of known shoppers, are no
 * error: the menu's own shares stay. */
int rehearse(const struct dataset *d, const struct rehearsal_params *params, struct rehearsal *out,
             struct error *err) WARN_UNUSED;

/* Most bytes that a rehearsal of a dataset of such a shape holds beside it and the live model. */
uint64_t rehearsal_estimate_bytes(const struct dataset_shape *shape,
                                  const struct rehearsal_params *params);

/* {"refused":false,"basket":{"questions":8000,"ndcg_menu":.1,"ndcg":.12,"tail":{…},"gate":{…}},
 *  "personal":{"skipped":"no order has a shopper"},"session":{…}} */
void rehearsal_json(const struct rehearsal *r, struct buf *out);
#endif
