/* One answer, stage by stage (recommend_internal.h names them). All memory is the scratch's: arrays
 * sized to the model's items, kept from request to request and told apart by a stamp, so that a
 * request costs what it touches. A model with more items than any before makes them grow: the only
 * allocation there is. */
#include "engine/recommend.h"

#include "base/mem.h"
#include "recommend_internal.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

static const char *const surface_names[] = {"basket", "similar",  "personal", "session",
                                            "rebuy",  "trending", "popular"};
static const char *const fallback_names[] = {NULL,
                                             "popular:empty_context",
                                             "popular:unknown_context",
                                             "popular:no_candidates",
                                             "popular:unknown_user",
                                             "popular:history_loading"};
static const char *const drop_names[] = {"excluded", "unavailable", "category",
                                         "price",    "in_stock",    "attributes"};
static const char *const because_names[] = {"none",  "rule",  "neighbour", "after",  "visits",
                                            "taste", "habit", "trend",     "popular"};
_Static_assert(sizeof surface_names / sizeof *surface_names == SURFACE_COUNT, "all surfaces");
_Static_assert(sizeof fallback_names / sizeof *fallback_names == FALLBACK_COUNT, "all fallbacks");
_Static_assert(sizeof drop_names / sizeof *drop_names == DROP_COUNT, "all drops");

/* Of the surfaces that start from a context. */
static const enum mix_kind mix_of[SURFACE_COUNT] = {[SURFACE_BASKET] = MIX_BASKET,
                                                    [SURFACE_SIMILAR] = MIX_SIMILAR,
                                                    [SURFACE_PERSONAL] = MIX_PERSONAL,
                                                    [SURFACE_SESSION] = MIX_SESSION};

const char *surface_name(enum surface s)
{
    assert(s < SURFACE_COUNT);
    return surface_names[s];
}

int surface_parse(struct str name)
{
    for (int s = 0; s < SURFACE_COUNT; s++)
        if (str_eq(name, str_of(surface_names[s])))
            return s;
    return -1;
}

const char *fallback_name(enum fallback f)
{
    assert(f < FALLBACK_COUNT);
    return fallback_names[f];
}

const char *drop_name(enum drop d)
{
    assert(d < DROP_COUNT);
    return drop_names[d];
}

const char *because_kind_name(enum because_kind k)
{
    assert(k <= BECAUSE_POPULAR);
    return because_names[k];
}

struct scratch *scratch_new(struct error *err)
{
    struct scratch *s;
    if (!MEM_ZNEW(s, 1))
        error_set(err, ERR_NOMEM, "scratch: out of memory");
    return s;
}

static void free_arrays(struct scratch *s)
{
    free(s->cells);
    free(s->excluded);
    free(s->found);
    s->cells = NULL;
    s->excluded = NULL;
    s->found = NULL;
    s->item_cap = 0;
}

void scratch_free(struct scratch *s)
{
    if (!s)
        return;
    free_arrays(s);
    sessionknn_scratch_free(s->visits);
    free(s);
}

static int reserve(struct scratch *s, uint32_t items, struct error *err)
{
    if (items <= s->item_cap)
        return 0;
    free_arrays(s);
    if (MEM_ZNEW(s->cells, items) && MEM_ZNEW(s->excluded, items) &&
        MEM_NEW(s->found, items + 1ULL)) {
        s->item_cap = items;
        s->stamp = 0;
        return 0;
    }
    free_arrays(s);
    return error_set(err, ERR_NOMEM, "scratch: out of memory for %u items", items);
}

/* Stamp 0 is that of cells never touched. */
static void next_stamp(struct scratch *s)
{
    if (++s->stamp == 0) {
        memset(s->cells, 0, s->item_cap * sizeof *s->cells);
        memset(s->excluded, 0, s->item_cap * sizeof *s->excluded);
        s->stamp = 1;
    }
}

/* Takes candidates, best first, until the answer is full. */
static void fill(struct request *r, bool (*next)(struct request *r, struct candidate *out))
{
    struct answer *out = r->out;
    struct candidate c;
    uint32_t wanted = diversify_pool(r->q);
    while (out->count < wanted && next(r, &c)) {
        enum drop drop = filter_drop(r, c.item);
        if (drop != DROP_COUNT) {
            out->dropped[drop]++;
            continue;
        }
        struct suggestion *to = &r->s->items[out->count++];
        to->item = c.item;
        to->slot = item_slot(r, c.item);
        to->score = c.score;
    }
    diversify(r);
}

/* Sums of weights have no bound; scores have, and keep their order. */
static void bound_scores(struct request *r)
{
    for (uint32_t x = 0; x < r->out->count; x++) {
        float *score = &r->s->items[x].score;
        *score = *score < FLT_MAX ? *score / (1 + *score) : 1;
    }
}

static void answer_from_context(struct request *r)
{
    gather_rows(r);
    blend_candidates(r);
    fill(r, blend_next);
    bound_scores(r);
}

static void answer_popular(struct request *r)
{
    memset(r->out->dropped, 0, sizeof r->out->dropped);
    r->out->candidates = popular_begin(r);
    fill(r, popular_next);
}

static bool has_history(const struct query *q)
{
    return q->shopper && q->shopper->line_count + q->shopper->event_count > 0;
}

static enum fallback answer_rebuy(struct request *r)
{
    if (r->q->history_loading)
        return FALLBACK_HISTORY_LOADING;
    if (!r->q->shopper)
        return FALLBACK_UNKNOWN_USER;
    fill_rebuy(r);
    return r->out->count ? FALLBACK_NONE : FALLBACK_NO_CANDIDATES;
}

static void answer_trending(struct request *r)
{
    r->out->candidates = trending_begin(r);
    fill(r, trending_next);
}

static enum fallback answer_surface(struct request *r)
{
    const struct query *q = r->q;
    switch (q->surface) {
    case SURFACE_REBUY:
        return answer_rebuy(r);
    case SURFACE_TRENDING:
        answer_trending(r);
        return r->out->count ? FALLBACK_NONE : FALLBACK_NO_CANDIDATES;
    case SURFACE_POPULAR:
        answer_popular(r);
        return FALLBACK_NONE;
    case SURFACE_PERSONAL:
        if (q->history_loading)
            return FALLBACK_HISTORY_LOADING;
        if (!q->shopper)
            return FALLBACK_UNKNOWN_USER;
        break;
    default:
        break;
    }
    bool empty = q->item_count == 0 && (q->surface != SURFACE_PERSONAL || !has_history(q));
    if (empty)
        return FALLBACK_EMPTY_CONTEXT;
    if (r->s->context_count == 0)
        return FALLBACK_UNKNOWN_CONTEXT;
    answer_from_context(r);
    return r->out->count ? FALLBACK_NONE : FALLBACK_NO_CANDIDATES;
}

struct str answer_item_id(const struct model *m, const struct catalog *c, const struct query *q,
                          uint32_t item)
{
    if (item < m->item_count)
        return dict_name(&m->items, item);
    return catalog_id(c, q->fresh->items[item - m->item_count].slot);
}

static const struct because nothing = {.support = NAN,
                                       .confidence = NAN,
                                       .lift = NAN,
                                       .trend = NAN,
                                       .last_ms = INT64_MIN,
                                       .gap_days = NAN};

int recommend(const struct model *m, const struct catalog *c, const struct query *q,
              struct scratch *s, struct answer *out, struct error *err)
{
    assert(q->limit >= 1 && q->limit <= LIMIT_ANSWER_ITEMS);
    assert(q->item_count <= LIMIT_QUERY_ITEMS);
    assert(!q->fresh || q->fresh->model == m);
    int rc = reserve(s, m->item_count + (q->fresh ? (uint32_t)q->fresh->item_cap : 0), err);
    if (rc == 0 && m->neighbours.start)
        rc = sessionknn_scratch_reserve(&s->visits, &m->neighbours, err);
    if (rc)
        return rc;
    next_stamp(s);
    s->found_count = 0;
    *out = (struct answer){.surface = q->surface, .items = s->items, .unknown = s->unknown};
    enum mix_kind mix = mix_of[q->surface];
    struct request r = {.m = m,
                        .c = c,
                        .q = q,
                        .fresh = q->fresh,
                        .mix = &m->recipe.mixes[mix],
                        .prior = &m->priors[mix],
                        .s = s,
                        .out = out};
    find_context(&r);
    out->unknown_count = s->unknown_count;
    out->fallback = answer_surface(&r);
    if (out->fallback != FALLBACK_NONE)
        answer_popular(&r);
    enum surface answered = out->fallback == FALLBACK_NONE ? q->surface : SURFACE_POPULAR;
    for (uint32_t x = 0; x < out->count; x++)
        s->items[x].because = nothing;
    if (q->explain)
        explain_answer(&r, answered);
    return 0;
}
