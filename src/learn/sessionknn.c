/* Asking walks the context from its newest item: the first item that meets a session is c*. A
 * session's likeness stands in a dense array with a list of what was touched, as the items' scores
 * do; both are cleared by their lists, so a question costs what it touches.
 *
 * Building is two passes over the sessions, to count and to place. The sessions of an item are
 * placed from the latest back, so that the first m stay. */
#include "learn/sessionknn.h"

#include "base/mem.h"
#include "base/topk.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VMIS_STEPS 10 /* c* further from the end speaks no more */

/* Sessions are read in random order: those a few steps ahead are fetched meanwhile. */
#define AHEAD 16

struct met {
    float likeness; /* 0: not met */
    uint32_t steps; /* of c* from the end, 1 the last */
};

struct sessionknn_scratch {
    struct met *met;            /* [sessions] */
    uint32_t *met_list;         /* [sessions] room */
    float *score;               /* [items] */
    uint32_t *item;             /* [items] room: scored */
    uint32_t *seen;             /* [items] number of the question that met it in its context */
    uint32_t *wanted;           /* [items] 1 + place among those whose holders are counted, or 0 */
    struct topk_entry *nearest; /* [k] */
    uint32_t met_count, item_count, question, nearest_count;
    uint32_t sessions, items, neighbours; /* there is room for */
};

/* ---- building ---- */

static bool is_positive(float value)
{
    return value > 0 && value < INFINITY;
}

static int set_params(struct sessionknn *k, struct sessionknn_params p, struct error *err)
{
    p.recent = p.recent ? p.recent : 1000;
    p.neighbours = p.neighbours ? p.neighbours : 200;
    p.l1 = p.l1 != 0 ? p.l1 : 1.25f;
    p.l2 = p.l2 != 0 ? p.l2 : 2;
    p.l3 = p.l3 != 0 ? p.l3 : 5;
    p.max_events = p.max_events ? p.max_events : SESSIONKNN_EVENTS_MAX;
    k->params = p;
    if (p.form != SESSIONKNN_STAN && p.form != SESSIONKNN_VMIS)
        return error_set(err, ERR_INVALID, "session neighbours: no such form");
    if (!is_positive(p.l1) || !is_positive(p.l2) || !is_positive(p.l3))
        return error_set(err, ERR_INVALID, "session neighbours: l1, l2 and l3 must be above 0");
    return 0;
}

static bool tells_something(const struct histories *rows, uint32_t row)
{
    for (uint64_t x = rows->start[row] + 1; x < rows->start[row + 1]; x++)
        if (rows->item[x] != rows->item[x - 1])
            return true;
    return false;
}

static void copy_sessions(const struct histories *rows, uint32_t first, struct sessionknn *k)
{
    uint32_t session = 0;
    for (uint32_t row = first; row < rows->count; row++) {
        uint64_t length = rows->start[row + 1] - rows->start[row];
        if (!tells_something(rows, row))
            continue;
        memcpy(k->item + k->start[session], rows->item + rows->start[row],
               length * sizeof *k->item);
        k->start[session + 1] = k->start[session] + length;
        session++;
    }
}

/* Flags what comes again; by_start[i + 1] = sessions with i. */
static void flag_items(struct sessionknn *k, uint32_t *last_in)
{
    for (uint32_t s = 0; s < k->session_count; s++) {
        for (uint64_t x = k->start[s + 1]; x-- > k->start[s];) {
            uint32_t item = k->item[x] & ~SESSIONKNN_AGAIN;
            bool again = last_in[item] == s + 1;
            k->item[x] = item | (again ? SESSIONKNN_AGAIN : 0);
            k->by_start[item + 1] += !again;
            last_in[item] = s + 1;
        }
    }
}

static bool place_postings(struct sessionknn *k, uint32_t *placed)
{
    uint64_t kept = 0, m = k->params.recent;
    for (uint32_t i = 0; i < k->item_count; i++) {
        uint64_t sessions = k->by_start[i + 1];
        k->idf[i] = sessions ? (float)log((double)k->session_count / (double)sessions) : 0;
        kept += sessions < m ? sessions : m;
        k->by_start[i + 1] = kept;
        placed[i] = 0;
    }
    if (!MEM_NEW(k->session, kept))
        return false;
    for (uint32_t s = k->session_count; s > 0; s--) {
        for (uint64_t x = k->start[s - 1]; x < k->start[s]; x++) {
            uint32_t item = k->item[x];
            if (!(item & SESSIONKNN_AGAIN) && placed[item] < m)
                k->session[k->by_start[item] + placed[item]++] = s - 1;
        }
    }
    return true;
}

static bool boost_sessions(struct sessionknn *k)
{
    if (k->params.form == SESSIONKNN_VMIS)
        return true;
    if (!MEM_NEW(k->boost, k->session_count))
        return false;
    for (uint32_t s = 0; s < k->session_count; s++) {
        double age = 1 - (s + 1.0) / k->session_count;
        double length = (double)(k->start[s + 1] - k->start[s]);
        k->boost[s] = (float)(exp(-k->params.l2 * age) / sqrt(length));
    }
    return true;
}

int sessionknn_index(struct sessionknn *k, struct error *err)
{
    uint32_t *mark;
    int rc = set_params(k, k->params, err);
    if (rc)
        return rc;
    MEM_ZNEW(mark, k->item_count);
    MEM_ZNEW(k->by_start, (size_t)k->item_count + 1);
    MEM_NEW(k->idf, k->item_count);
    bool good = mark && k->by_start && k->idf;
    if (good)
        flag_items(k, mark);
    good = good && place_postings(k, mark) && boost_sessions(k);
    free(mark);
    return good ? 0 : error_set(err, ERR_NOMEM, "session neighbours: out of memory");
}

int sessionknn_build(const struct histories *rows, const struct sessionknn_params *params,
                     struct sessionknn *out, struct error *err)
{
    struct sessionknn k = {.item_count = rows->item_count};
    uint64_t entries = 0;
    uint32_t first = rows->count;
    int rc = set_params(&k, params ? *params : (struct sessionknn_params){0}, err);
    if (rc)
        return rc;
    assert(rows->item_count < SESSIONKNN_AGAIN);
    for (; first > 0; first--) { /* the newest */
        uint64_t length = rows->start[first] - rows->start[first - 1];
        if (!tells_something(rows, first - 1))
            continue;
        if (entries + length > k.params.max_events)
            break;
        k.session_count++;
        entries += length;
    }
    MEM_ZNEW(k.start, (size_t)k.session_count + 1);
    MEM_NEW(k.item, entries);
    if (!k.start || !k.item) {
        sessionknn_deinit(&k);
        return error_set(err, ERR_NOMEM, "session neighbours: out of memory");
    }
    copy_sessions(rows, first, &k);
    rc = sessionknn_index(&k, err);
    if (rc)
        sessionknn_deinit(&k);
    else
        *out = k;
    return rc;
}

void sessionknn_deinit(struct sessionknn *k)
{
    free(k->start);
    free(k->item);
    free(k->by_start);
    free(k->session);
    free(k->idf);
    free(k->boost);
    *k = (struct sessionknn){0};
}

size_t sessionknn_bytes(const struct sessionknn *k)
{
    if (!k->start)
        return 0;
    return (k->session_count + (size_t)1) * sizeof *k->start +
           k->start[k->session_count] * sizeof *k->item +
           (k->item_count + (size_t)1) * sizeof *k->by_start +
           k->by_start[k->item_count] * sizeof *k->session + k->item_count * sizeof *k->idf +
           (k->boost ? k->session_count * sizeof *k->boost : 0);
}

static uint64_t kept_of(uint64_t events)
{
    return events < SESSIONKNN_EVENTS_MAX ? events : SESSIONKNN_EVENTS_MAX;
}

/* Sessions have two events at least. */
uint64_t sessionknn_estimate_bytes(uint64_t events, uint64_t items)
{
    events = kept_of(events);
    return events / 2 * (sizeof(uint64_t) + sizeof(float)) + events * 2 * sizeof(uint32_t) +
           items * (sizeof(uint64_t) + sizeof(float) + sizeof(uint32_t));
}

uint64_t sessionknn_scratch_estimate_bytes(uint64_t events, uint64_t items)
{
    return kept_of(events) / 2 * (sizeof(struct met) + sizeof(uint32_t)) +
           items * (sizeof(float) + 3 * sizeof(uint32_t)) + 64 * 1024;
}

/* ---- asking ---- */

struct sessionknn_scratch *sessionknn_scratch_new(const struct sessionknn *k, struct error *err)
{
    struct sessionknn_scratch *s;
    if (MEM_ZNEW(s, 1)) {
        s->sessions = k->session_count;
        s->items = k->item_count;
        s->neighbours = k->params.neighbours;
        MEM_ZNEW(s->met, k->session_count);
        MEM_NEW(s->met_list, k->session_count);
        MEM_ZNEW(s->score, k->item_count);
        MEM_NEW(s->item, k->item_count);
        MEM_ZNEW(s->seen, k->item_count);
        MEM_ZNEW(s->wanted, k->item_count);
        MEM_NEW(s->nearest, k->params.neighbours);
        if (s->met && s->met_list && s->score && s->item && s->seen && s->wanted && s->nearest)
            return s;
    }
    sessionknn_scratch_free(s);
    error_set(err, ERR_NOMEM, "session neighbours: out of memory");
    return NULL;
}

int sessionknn_scratch_reserve(struct sessionknn_scratch **s, const struct sessionknn *k,
                               struct error *err)
{
    struct sessionknn_scratch *old = *s;
    if (old && old->sessions >= k->session_count && old->items >= k->item_count &&
        old->neighbours >= k->params.neighbours)
        return 0;
    struct sessionknn_scratch *fresh = sessionknn_scratch_new(k, err);
    if (!fresh)
        return ERR_NOMEM;
    sessionknn_scratch_free(old);
    *s = fresh;
    return 0;
}

void sessionknn_scratch_free(struct sessionknn_scratch *s)
{
    if (!s)
        return;
    free(s->met);
    free(s->met_list);
    free(s->score);
    free(s->item);
    free(s->seen);
    free(s->wanted);
    free(s->nearest);
    free(s);
}

static void forget_question(struct sessionknn_scratch *s)
{
    for (uint32_t x = 0; x < s->item_count; x++)
        s->score[s->item[x]] = 0;
    s->item_count = 0;
    if (++s->question == 0) { /* after 2^32 questions the marks begin anew */
        memset(s->seen, 0, s->items * sizeof *s->seen);
        s->question = 1;
    }
}

/* VMIS's without / L, so that equal sums are equal. */
static float place_weight(const struct sessionknn_params *p, uint32_t place, uint32_t length)
{
    if (p->form == SESSIONKNN_VMIS)
        return (float)place;
    return expf(((float)place - (float)length) / p->l1);
}

static void meet_sessions(const struct sessionknn *k, const uint32_t *context, uint32_t length,
                          struct sessionknn_scratch *s)
{
    s->met_count = 0;
    for (uint32_t place = length; place > 0; place--) {
        uint32_t item = context[place - 1];
        assert(item < k->item_count);
        float weight = place_weight(&k->params, place, length);
        if (k->boost && weight < SESSIONKNN_WEIGHT_LEAST)
            break;
        if (s->seen[item] == s->question)
            continue;
        s->seen[item] = s->question;
        uint64_t end = k->by_start[item + 1];
        for (uint64_t x = k->by_start[item]; x < end; x++) {
            __builtin_prefetch(&s->met[k->session[x + AHEAD < end ? x + AHEAD : x]], 1);
            struct met *met = &s->met[k->session[x]];
            if (met->likeness == 0) {
                met->steps = length - place + 1;
                s->met_list[s->met_count++] = k->session[x];
            }
            met->likeness += weight;
        }
    }
}

/* The most alike, ties to the later; forgets what was met. */
static uint32_t find_nearest(const struct sessionknn *k, struct sessionknn_scratch *s)
{
    struct topk best;
    topk_init(&best, s->nearest, k->params.neighbours);
    for (uint32_t x = 0; x < s->met_count; x++) {
        uint32_t session = s->met_list[x];
        uint32_t ahead = s->met_list[x + AHEAD < s->met_count ? x + AHEAD : x];
        __builtin_prefetch(&s->met[ahead], 1);
        if (k->boost)
            __builtin_prefetch(&k->boost[ahead]);
        float likeness = s->met[session].likeness;
        if (k->boost)
            likeness *= k->boost[session];
        topk_offer(&best, session, likeness, k->session_count - session);
        s->met[session].likeness = 0;
    }
    return best.count;
}

static void add_score(struct sessionknn_scratch *s, uint32_t item, float score)
{
    if (s->score[item] == 0)
        s->item[s->item_count++] = item;
    s->score[item] += score;
}

static void hear_vmis(const struct sessionknn *k, const struct topk_entry *neighbour,
                      struct sessionknn_scratch *s)
{
    float nearness = 1 - (float)s->met[neighbour->item].steps / VMIS_STEPS;
    float weight = neighbour->score * nearness;
    for (uint64_t x = k->start[neighbour->item]; weight > 0 && x < k->start[neighbour->item + 1];
         x++) {
        uint32_t item = k->item[x];
        if (!(item & SESSIONKNN_AGAIN) && k->idf[item] > 0)
            add_score(s, item, weight * k->idf[item]);
    }
}

/* From the place of c* outwards the share falls by a constant factor a step. */
static void hear_stan(const struct sessionknn *k, const struct topk_entry *neighbour,
                      uint32_t newest, float per_step, struct sessionknn_scratch *s)
{
    uint64_t begin = k->start[neighbour->item], end = k->start[neighbour->item + 1], centre = begin;
    while (k->item[centre] != newest)
        centre++;
    float share = neighbour->score;
    for (uint64_t x = centre; x < end; x++, share *= per_step)
        if (!(k->item[x] & SESSIONKNN_AGAIN) && share > 0)
            add_score(s, k->item[x], share);
    share = neighbour->score;
    for (uint64_t x = centre; x-- > begin;) {
        share *= per_step;
        if (!(k->item[x] & SESSIONKNN_AGAIN) && share > 0)
            add_score(s, k->item[x], share);
    }
}

static void mask(struct sessionknn_scratch *s, uint32_t item)
{
    if (s->score[item] == 0)
        return;
    s->score[item] = 0;
    for (uint32_t x = 0; x < s->item_count; x++) {
        if (s->item[x] == item) {
            s->item[x] = s->item[--s->item_count];
            return;
        }
    }
}

/* First where the session stands, then the session. */
static void prefetch_neighbour(const struct sessionknn *k, const struct sessionknn_scratch *s,
                               uint32_t x, uint32_t count)
{
    if (x + AHEAD < count)
        __builtin_prefetch(&k->start[s->nearest[x + AHEAD].item]);
    if (x + AHEAD / 2 < count)
        __builtin_prefetch(&k->item[k->start[s->nearest[x + AHEAD / 2].item]]);
}

void sessionknn_ask(const struct sessionknn *k, const uint32_t *context, uint32_t length,
                    struct sessionknn_scratch *s, struct sessionknn_answer *out)
{
    forget_question(s);
    meet_sessions(k, context, length, s);
    uint32_t neighbours = find_nearest(k, s);
    float per_step = expf(-1 / k->params.l3);
    float scale = 1 / (k->boost ? sqrtf((float)length) : (float)length);
    for (uint32_t x = 0; x < neighbours; x++) {
        struct topk_entry *neighbour = &s->nearest[x];
        prefetch_neighbour(k, s, x, neighbours);
        neighbour->score *= scale;
        if (k->params.form == SESSIONKNN_VMIS)
            hear_vmis(k, neighbour, s);
        else
            hear_stan(k, neighbour, context[length - s->met[neighbour->item].steps], per_step, s);
    }
    if (length > 0)
        mask(s, context[length - 1]);
    float most = 0;
    for (uint32_t x = 0; x < s->item_count; x++)
        most = s->score[s->item[x]] > most ? s->score[s->item[x]] : most;
    s->nearest_count = neighbours;
    *out = (struct sessionknn_answer){.item = s->item,
                                      .count = s->item_count,
                                      .score = s->score,
                                      .most = most,
                                      .neighbours = neighbours};
}

void sessionknn_holders(const struct sessionknn *k, struct sessionknn_scratch *s,
                        const uint32_t *item, uint32_t count, uint32_t *holders)
{
    for (uint32_t n = 0; n < count; n++) {
        holders[n] = 0;
        s->wanted[item[n]] = n + 1;
    }
    for (uint32_t n = 0; n < s->nearest_count && count > 0; n++) {
        uint32_t session = s->nearest[n].item;
        for (uint64_t x = k->start[session]; x < k->start[session + 1]; x++)
            if (!(k->item[x] & SESSIONKNN_AGAIN) && s->wanted[k->item[x]])
                holders[s->wanted[k->item[x]] - 1]++;
    }
    for (uint32_t n = 0; n < count; n++)
        s->wanted[item[n]] = 0;
}
