/* Each basket of the dataset gets a role: it teaches, it asks, or neither. The teaching ones become
 * a dataset of their own, added in the order they have; the asking ones become questions
 * (questions.c). Linear in the lines, but for the sorting of the items. */
#include "split_internal.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SHARE     .1
#define DEFAULT_LOO_SHARE .2
#define DEFAULT_TARGETS   3
#define HEAD_SHARE        .8

static const char *const protocols[] = {[PROTOCOL_TIME] = "time",
                                        [PROTOCOL_LEAVE_LAST_OUT] = "leave-last-out",
                                        [PROTOCOL_LEAVE_ONE_OUT] = "leave-one-out"};
static const char *const tasks[] = {[TASK_BASKET] = "basket",
                                    [TASK_PERSONAL] = "personal",
                                    [TASK_REBUY] = "rebuy",
                                    [TASK_SESSION] = "session"};

static int find(const char *const *names, int count, struct str name)
{
    for (int i = 0; i < count; i++)
        if (str_eq(str_of(names[i]), name))
            return i;
    return -1;
}

const char *protocol_name(enum protocol p)
{
    return protocols[p];
}

int protocol_parse(struct str name)
{
    return find(protocols, sizeof protocols / sizeof protocols[0], name);
}

const char *task_name(enum task t)
{
    return tasks[t];
}

int task_parse(struct str name)
{
    return find(tasks, sizeof tasks / sizeof tasks[0], name);
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "split: out of memory");
}

static int check_params(const struct cutting *c, struct error *err)
{
    const struct split_params *p = &c->params;
    bool basket = p->task == TASK_BASKET;
    if (p->protocol != PROTOCOL_TIME && basket != (p->protocol == PROTOCOL_LEAVE_ONE_OUT))
        return error_set(err, ERR_INVALID, "protocol %s asks %s: it cannot go with surface %s",
                         protocol_name(p->protocol),
                         basket ? "for what a shopper bought last" : "for items of a basket",
                         task_name(p->task));
    if (!(p->test_share > 0 && p->valid_share > 0 && p->test_share + p->valid_share < 1))
        return error_set(err, ERR_INVALID,
                         "the shares of test (%g) and validation (%g) must be above 0 and leave "
                         "some orders to learn from",
                         p->test_share, p->valid_share);
    if (p->visits && (p->protocol != PROTOCOL_TIME || p->task != TASK_SESSION))
        return error_set(err, ERR_INVALID, "visits ask by protocol time, for surface session");
    if (p->visits && !c->d->sessions.rows.count)
        return error_set(err, ERR_INVALID, "there are no visits: no view, cart add or the like");
    if (basket || p->visits || c->d->user_count)
        return 0;
    return error_set(err, ERR_INVALID,
                     "no order names a shopper: surface %s has nobody to ask about; take surface "
                     "basket",
                     task_name(p->task));
}

/* The first basket of the newest `share`; those of its moment go the same way, to the younger. */
static uint32_t share_begin(const struct dataset *d, double share, bool by_time)
{
    uint32_t at = (uint32_t)floor((double)d->basket_count * (1 - share) + 1e-9);
    while (by_time && at > 0 && at < d->basket_count && d->time_ms[at - 1] == d->time_ms[at])
        at--;
    return at;
}

uint32_t split_time_begin(const struct dataset *d, double test_share)
{
    return share_begin(d, test_share, true);
}

/* The first visit that was not over before that moment. */
static uint32_t visits_before(const struct histories *visits, int64_t time_ms)
{
    uint32_t low = 0, high = visits->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (visits->time_ms[visits->start[middle + 1] - 1] < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void cut_visits(struct cutting *c, uint32_t asks, uint32_t end)
{
    const struct dataset *d = c->d;
    const struct histories *visits = &d->sessions.rows;
    c->asks_ms = asks < d->basket_count ? d->time_ms[asks] : INT64_MAX;
    c->visit_begin = visits_before(visits, c->asks_ms);
    c->visit_end = end < d->basket_count ? visits_before(visits, d->time_ms[end]) : visits->count;
}

static void give_roles_by_share(struct cutting *c, enum stage stage)
{
    const struct split_params *p = &c->params;
    bool by_time = p->protocol == PROTOCOL_TIME;
    uint32_t test = share_begin(c->d, p->test_share, by_time), asks = test;
    uint32_t end = c->d->basket_count;
    if (stage == STAGE_VALID) {
        asks = share_begin(c->d, p->test_share + p->valid_share, by_time);
        end = test;
    }
    for (uint32_t b = 0; b < end; b++)
        c->role[b] = b < asks ? ROLE_TEACHES : ROLE_ASKS;
    if (p->visits)
        cut_visits(c, asks, end);
}

static int give_roles_by_shopper(struct cutting *c, enum stage stage, struct error *err)
{
    const struct dataset *d = c->d;
    uint32_t asks = stage == STAGE_TEST ? 0 : 1, teaches = asks == 0 && c->params.refit ? 1 : 2;
    uint32_t *later; /* the shopper's orders behind this one */
    if (!MEM_ZNEW(later, d->user_count))
        return out_of_memory(err);
    for (uint32_t b = d->basket_count; b-- > 0;) {
        if (d->user[b] == DATASET_NO_USER) {
            c->role[b] = ROLE_TEACHES;
            continue;
        }
        uint32_t place = later[d->user[b]]++;
        c->role[b] = place == asks ? ROLE_ASKS : place >= teaches ? ROLE_TEACHES : ROLE_NONE;
    }
    free(later);
    return 0;
}

/* Of the asking baskets a sample by chance, all equally likely (Knuth's algorithm S). */
static void thin_out(struct cutting *c)
{
    const struct split_params *p = &c->params;
    uint32_t each = p->task == TASK_BASKET ? p->targets : 1, asking = 0;
    uint32_t wanted = p->questions_max / each + (p->questions_max % each != 0);
    struct rng rng;
    if (!p->questions_max)
        return;
    for (uint32_t b = 0; b < c->d->basket_count; b++)
        asking += c->role[b] == ROLE_ASKS;
    rng_seed(&rng, p->seed);
    for (uint32_t b = 0; b < c->d->basket_count; b++) {
        if (c->role[b] != ROLE_ASKS)
            continue;
        if (rng_below(&rng, asking--) < wanted)
            wanted--;
        else
            c->role[b] = ROLE_NONE;
    }
}

static int make_training(struct cutting *c, struct error *err)
{
    const struct dataset *d = c->d;
    const struct dataset_limits limits = {.max_order_items = UINT32_MAX, .weights = &d->weights};
    uint32_t *keys, taught = 0;
    int rc = dataset_init(&c->split->train, &limits, err);
    if (rc)
        return rc;
    MEM_NEW(keys, d->item_count);
    MEM_NEW(c->split->taught, d->basket_count);
    if (!keys || !c->split->taught)
        rc = out_of_memory(err);
    for (uint32_t b = 0; rc == 0 && b < d->basket_count; b++) {
        if (c->role[b] != ROLE_TEACHES || d->baskets.start[b] == d->baskets.start[b + 1])
            continue;
        rc = dataset_add_basket(&c->split->train, d, b, keys, err);
        c->split->taught[taught++] = b;
    }
    free(keys);
    if (rc == 0 && c->params.visits)
        rc = dataset_add_sessions(&c->split->train, d, c->visit_begin, err);
    if (rc == 0)
        rc = dataset_finish(&c->split->train, err);
    if (rc == 0 && taught == 0)
        rc = error_set(err, ERR_INVALID,
                       "too few orders: %u in all, none is left to learn from; a smaller share for "
                       "the test leaves more",
                       d->basket_count);
    return rc;
}

struct ranked {
    uint32_t orders, id, item;
};

static uint32_t count_head(const struct ranked *list, uint32_t count)
{
    uint64_t all = 0, sold = 0;
    uint32_t head = 0;
    for (uint32_t r = 0; r < count; r++)
        all += list[r].orders;
    while (head < count && (double)sold < HEAD_SHARE * (double)all)
        sold += list[head++].orders;
    return head;
}

static int compare_ranked(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->orders != b->orders)
        return a->orders > b->orders ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* Both key lists ascend. */
static int number_items(struct cutting *c, struct error *err)
{
    const struct dataset *d = c->d, *train = &c->split->train;
    struct ranked *list;
    MEM_NEW(c->item, d->item_count);
    MEM_NEW(c->split->rank, train->item_count);
    MEM_NEW(list, train->item_count);
    if (!c->item || !c->split->rank || !list) {
        free(list);
        return out_of_memory(err);
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < d->item_count; i++) {
        c->item[i] = TARGET_LOST;
        if (next == train->item_count || train->item_key[next] != d->item_key[i])
            continue;
        uint32_t id = c->params.id_rank ? c->params.id_rank[i] : i;
        list[next] = (struct ranked){train->item_orders[next], id, next};
        c->item[i] = next++;
    }
    assert(next == train->item_count);
    qsort(list, next, sizeof *list, compare_ranked);
    for (uint32_t r = 0; r < next; r++)
        c->split->rank[list[r].item] = r;
    c->split->head_items = count_head(list, next);
    free(list);
    return 0;
}

static enum candidates candidates_of(const struct split_params *p)
{
    switch (p->task) {
    case TASK_BASKET:
        return CANDIDATES_NOT_CONTEXT;
    case TASK_PERSONAL:
        return p->bought ? CANDIDATES_ALL : CANDIDATES_NOT_CONTEXT;
    case TASK_REBUY:
        return CANDIDATES_CONTEXT;
    case TASK_SESSION:
        return p->visits ? CANDIDATES_NOT_CONTEXT : CANDIDATES_NOT_LAST;
    }
    return CANDIDATES_ALL;
}

void split_defaults(struct split_params *p)
{
    if (p->test_share == 0)
        p->test_share = p->protocol == PROTOCOL_LEAVE_ONE_OUT ? DEFAULT_LOO_SHARE : DEFAULT_SHARE;
    if (p->valid_share == 0)
        p->valid_share = DEFAULT_SHARE;
    if (p->targets == 0)
        p->targets = DEFAULT_TARGETS;
}

static int cut(struct cutting *c, enum stage stage, struct error *err)
{
    int rc = check_params(c, err);
    if (rc)
        return rc;
    if (!MEM_ZNEW(c->role, c->d->basket_count))
        return out_of_memory(err);
    if (c->params.protocol == PROTOCOL_LEAVE_LAST_OUT)
        rc = give_roles_by_shopper(c, stage, err);
    else
        give_roles_by_share(c, stage);
    if (rc == 0)
        rc = make_training(c, err);
    if (rc == 0)
        rc = number_items(c, err);
    if (rc)
        return rc;
    if (c->params.visits)
        return questions_of_visits(c, err);
    thin_out(c);
    return questions_make(c, err);
}

int split_make(const struct dataset *d, const struct split_params *params, enum stage stage,
               struct split *out, struct error *err)
{
    struct split made = {.task = params->task,
                         .protocol = params->protocol,
                         .stage = stage,
                         .visits = params->visits};
    struct cutting c = {.d = d, .params = *params, .split = &made};
    split_defaults(&c.params);
    made.candidates = candidates_of(&c.params);
    int rc = cut(&c, stage, err);
    free(c.role);
    free(c.item);
    for (uint32_t q = 0; rc == 0 && params->anonymous && q < made.questions.count; q++)
        made.questions.history[q].end = made.questions.history[q].begin;
    if (rc)
        split_deinit(&made);
    else
        *out = made;
    return rc;
}

void split_deinit(struct split *s)
{
    dataset_deinit(&s->train);
    free(s->taught);
    free(s->rank);
    questions_deinit(&s->questions);
    *s = (struct split){0};
}

/* The orders that teach are copied into lists that grow by half, then made a dataset; questions
 * keep what shoppers had. */
void split_estimate(const struct dataset_shape *shape, struct split_estimate *out)
{
    uint64_t lines = shape->lines, orders = shape->orders, items = shape->items;
    uint64_t lists = (4 * lines + 24 * orders) * 3 / 2, hashes = 48 * orders;
    uint64_t dataset = 4 * lines + 24 * orders + 8 * items;
    uint64_t questions = 12 * lines + 8 * items;
    out->held_bytes = dataset + questions + (1 << 20);
    out->peak_bytes = out->held_bytes + 16 * orders + 8 * items + (lists > hashes ? lists : hashes);
}
