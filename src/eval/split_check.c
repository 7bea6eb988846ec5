/* Looks at nothing but the dataset and the split. */
#include "eval/split.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct checking {
    const struct split *s;
    const struct dataset *d;
    bool *taught;      /* [orders of the dataset] */
    uint32_t *context; /* [training items] the last question, plus one, that gives it */
    uint32_t *target;  /* … that asks for it */
};

static int broken(uint32_t question, const char *what, struct error *err)
{
    return error_set(err, ERR_INTERNAL, "the split leaks: question %u: %s", question, what);
}

static bool same_basket(const struct checking *c, uint32_t basket, uint32_t order)
{
    const struct csr *from = &c->d->baskets, *to = &c->s->train.baskets;
    uint64_t size = from->start[order + 1] - from->start[order];
    if (size != to->start[basket + 1] - to->start[basket])
        return false;
    for (uint64_t k = 0; k < size; k++)
        if (c->d->item_key[from->column[from->start[order] + k]] !=
            c->s->train.item_key[to->column[to->start[basket] + k]])
            return false;
    return true;
}

/* Nothing is learnt from but the orders said, each once. */
static int check_training(const struct checking *c, struct error *err)
{
    for (uint32_t b = 0; b < c->s->train.basket_count; b++) {
        uint32_t order = c->s->taught[b];
        if (order >= c->d->basket_count || c->taught[order] || !same_basket(c, b, order))
            return error_set(err, ERR_INTERNAL,
                             "the split leaks: basket %u of the training is not order %u", b,
                             order);
        c->taught[order] = true;
    }
    return 0;
}

/* Nor from visits but the first ones, as they are. */
static int check_visits(const struct checking *c, struct error *err)
{
    const struct histories *from = &c->d->sessions.rows, *to = &c->s->train.sessions.rows;
    bool same = to->count <= from->count;
    for (uint32_t v = 0; same && v < to->count; v++)
        same = to->start[v + 1] == from->start[v + 1];
    for (uint64_t e = 0; same && to->count && e < to->start[to->count]; e++)
        same = c->s->train.item_key[to->item[e]] == c->d->item_key[from->item[e]] &&
               to->time_ms[e] == from->time_ms[e];
    return same ? 0
                : error_set(err, ERR_INTERNAL, "the split leaks: a visit of the training is none");
}

static const char *check_question(const struct checking *c, uint32_t i)
{
    const struct questions *q = &c->s->questions;
    bool apart = c->s->candidates == CANDIDATES_NOT_CONTEXT;
    bool within = c->s->candidates == CANDIDATES_CONTEXT;
    if (c->s->visits ? q->order[i] < c->s->train.sessions.rows.count : c->taught[q->order[i]])
        return c->s->visits ? "its visit was learnt from" : "its order was learnt from";
    for (uint64_t k = q->context[i].begin; k < q->context[i].end; k++) {
        if (q->item[k] >= c->s->train.item_count)
            return "a context item is none of the training's";
        c->context[q->item[k]] = i + 1;
    }
    for (uint64_t t = q->target_start[i]; t < q->target_start[i + 1]; t++) {
        uint32_t target = q->target[t];
        if (target == TARGET_LOST)
            continue;
        if (target >= c->s->train.item_count)
            return "a target is none of the training's";
        if (c->target[target] == i + 1)
            return "a target comes twice";
        c->target[target] = i + 1;
        if (apart && c->context[target] == i + 1)
            return "a target is in the context";
        if (within && c->context[target] != i + 1)
            return "a target is no candidate";
    }
    return q->target_start[i] == q->target_start[i + 1] ? "it has no target" : NULL;
}

/* By time: no moment that teaches is as late as one that asks. */
static int check_times(const struct checking *c, struct error *err)
{
    const struct dataset *train = &c->s->train;
    const struct histories *visits = &train->sessions.rows;
    int64_t last = train->time_ms[train->basket_count - 1];
    if (visits->count && visits->time_ms[visits->start[visits->count] - 1] > last)
        last = visits->time_ms[visits->start[visits->count] - 1];
    for (uint32_t i = 0; i < c->s->questions.count; i++)
        if (c->s->questions.asked_ms[i] <= last)
            return broken(i, "it is not later than what was learnt from", err);
    return 0;
}

int split_check(const struct split *s, const struct dataset *d, struct error *err)
{
    struct checking c = {.s = s, .d = d};
    MEM_ZNEW(c.taught, d->basket_count);
    MEM_ZNEW(c.context, s->train.item_count);
    MEM_ZNEW(c.target, s->train.item_count);
    int rc = c.taught && c.context && c.target ? check_training(&c, err)
                                               : error_set(err, ERR_NOMEM, "split: out of memory");
    if (rc == 0)
        rc = check_visits(&c, err);
    for (uint32_t i = 0; rc == 0 && i < s->questions.count; i++) {
        const char *what = check_question(&c, i);
        rc = what ? broken(i, what, err) : 0;
    }
    if (rc == 0 && s->protocol == PROTOCOL_TIME)
        rc = check_times(&c, err);
    free(c.taught);
    free(c.context);
    free(c.target);
    return rc;
}
