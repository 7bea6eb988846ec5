/* Two passes over the visits held back: what could be asked, a place in a visit each, then of the
 * places that are asked, evenly, what was looked at before. Linear in the events. */
#include "split_internal.h"

#include "base/vec.h"

#include <stdlib.h>

struct place {
    uint32_t visit;
    uint64_t at; /* of the event asked for */
};

struct visiting {
    struct cutting *c;
    uint32_t *mark; /* [items of the dataset] the last pass that met the item, by `serial` */
    uint32_t serial;
    uint32_t silent; /* visits with nothing to ask for */
    VEC(struct place) place;
    VEC(uint32_t) item; /* of all contexts */
    VEC(int64_t) time_ms;
    struct questions q;
};

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "split: out of memory");
}

/* What says nothing, such as taking out of a cart, neither asks nor is given. */
static bool counts(const struct dataset *d, uint64_t event)
{
    return event_weight_at(&d->weights.of[d->sessions.action[event]], 0) > 0;
}

/* Events for an item that the visit has not had, behind one that the training knows. */
static bool find_places(struct visiting *v, uint32_t visit)
{
    const struct dataset *d = v->c->d;
    const struct histories *rows = &d->sessions.rows;
    bool given = false;
    size_t before = v->place.count;
    v->serial++;
    for (uint64_t e = rows->start[visit]; e < rows->start[visit + 1]; e++) {
        uint32_t item = rows->item[e];
        if (!counts(d, e) || v->mark[item] == v->serial)
            continue;
        v->mark[item] = v->serial;
        if (given && rows->time_ms[e] >= v->c->asks_ms &&
            !VEC_PUSH(&v->place, ((struct place){visit, e})))
            return false;
        given = given || v->c->item[item] != TARGET_LOST;
    }
    v->silent += v->place.count == before;
    return true;
}

static bool questions_new(struct questions *q, uint32_t count)
{
    MEM_NEW(q->context, count);
    MEM_ZNEW(q->history, count);
    MEM_NEW(q->target_start, (size_t)count + 1);
    MEM_NEW(q->target, count);
    MEM_NEW(q->cluster, count);
    MEM_NEW(q->asked_ms, count);
    MEM_NEW(q->order, count);
    return q->context && q->history && q->target_start && q->target && q->cluster && q->asked_ms &&
           q->order;
}

/* What the visit had before, each item at its last place, as the server takes it. */
static bool push_context(struct visiting *v, struct place p)
{
    const struct dataset *d = v->c->d;
    const struct histories *rows = &d->sessions.rows;
    size_t begin = v->item.count;
    v->serial++;
    for (uint64_t e = p.at; e-- > rows->start[p.visit];) {
        uint32_t item = rows->item[e];
        if (!counts(d, e) || v->mark[item] == v->serial || v->c->item[item] == TARGET_LOST)
            continue;
        v->mark[item] = v->serial;
        if (!VEC_PUSH(&v->item, v->c->item[item]) || !VEC_PUSH(&v->time_ms, rows->time_ms[e]))
            return false;
    }
    for (size_t a = begin, b = v->item.count; a + 1 < b; a++) {
        b--;
        uint32_t item = v->item.at[a];
        int64_t time_ms = v->time_ms.at[a];
        v->item.at[a] = v->item.at[b];
        v->time_ms.at[a] = v->time_ms.at[b];
        v->item.at[b] = item;
        v->time_ms.at[b] = time_ms;
    }
    return true;
}

static bool ask(struct visiting *v, struct place p)
{
    struct questions *q = &v->q;
    const struct histories *rows = &v->c->d->sessions.rows;
    uint32_t n = q->count++, target = v->c->item[rows->item[p.at]];
    uint64_t begin = v->item.count;
    if (!push_context(v, p))
        return false;
    q->context[n] = (struct span){begin, v->item.count};
    q->target_start[n] = n;
    q->target_start[n + 1] = n + 1;
    q->target[n] = target;
    q->asked_ms[n] = rows->time_ms[p.at];
    q->order[n] = p.visit;
    q->cluster_count += n == 0 || q->order[n - 1] != p.visit;
    q->cluster[n] = q->cluster_count - 1;
    v->c->split->unknown_targets += target == TARGET_LOST;
    return true;
}

static bool ask_all(struct visiting *v)
{
    uint32_t most = v->c->params.questions_max;
    size_t found = v->place.count;
    uint32_t count = most && most < found ? most : (uint32_t)found;
    if (!questions_new(&v->q, count))
        return false;
    v->q.target_start[0] = 0;
    for (uint32_t x = 0; x < count; x++)
        if (!ask(v, v->place.at[(uint64_t)x * found / count]))
            return false;
    v->q.item = v->item.at;
    v->q.time_ms = v->time_ms.at;
    v->q.item_total = v->item.count;
    return true;
}

static int make(struct visiting *v, struct error *err)
{
    const struct cutting *c = v->c;
    if (!MEM_ZNEW(v->mark, c->d->item_count))
        return out_of_memory(err);
    for (uint32_t visit = c->visit_begin; visit < c->visit_end; visit++)
        if (!find_places(v, visit))
            return out_of_memory(err);
    c->split->unasked_orders = v->silent;
    if (c->visit_begin == c->visit_end)
        return error_set(err, ERR_INVALID,
                         "there is nothing to test with: no visit is of the time kept for it");
    if (v->place.count == 0)
        return error_set(err, ERR_INVALID,
                         "there is nothing to test with: of %u visits kept for it none goes on "
                         "from a known item to another one",
                         v->silent);
    return ask_all(v) ? 0 : out_of_memory(err);
}

int questions_of_visits(struct cutting *c, struct error *err)
{
    struct visiting v = {.c = c};
    int rc = make(&v, err);
    if (rc == 0) {
        c->split->questions = v.q;
    } else {
        VEC_FREE(&v.item);
        VEC_FREE(&v.time_ms);
        questions_deinit(&v.q);
    }
    VEC_FREE(&v.place);
    free(v.mark);
    return rc;
}
