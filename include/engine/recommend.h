/* The answer: gather rows -> blend -> order -> filter -> explain. Costs microseconds, allocates
 * nothing after warm-up (the scratch is reused), touches nothing but its arguments.
 *
 * basket: an item's score is what the recipe's mix makes of the context items' rows (see
 * candidates.c), s/(1+s) of it. similar: the same over the rows of look-alikes, times how near the
 * item's category is to that of a context item, when the catalogue knows both. trending: rising
 * items, fastest first. popular: orders of the last 28 days, then of all time. rebuy: what the
 * shopper bought before, by how likely their next order holds it (learn/repeat.h), asked at the
 * newest order that the model or their history has; nothing else, and `items` may be among it. Else
 * context items are never in the answer, nor excluded, removed or unavailable ones. Without a known
 * context item basket and similar answer with popular items and say so in `fallback`, as does a
 * surface with no candidate left; a short list is never filled up otherwise.
 *
 * The caller holds the catalogue's read lock and a reference on the model for as long as it reads
 * the answer: its slices are borrowed from both, and its arrays belong to the scratch. */
#ifndef ENGINE_RECOMMEND_H
#define ENGINE_RECOMMEND_H

#include "data/catalog.h"
#include "data/events.h"
#include "data/shoppers.h"
#include "engine/fresh.h"
#include "engine/model.h"

enum surface {
    SURFACE_BASKET,
    SURFACE_SIMILAR,
    SURFACE_PERSONAL,
    SURFACE_SESSION,
    SURFACE_REBUY,
    SURFACE_TRENDING,
    SURFACE_POPULAR,
    SURFACE_COUNT
};
const char *surface_name(enum surface s);
int surface_parse(struct str name); /* -1: unknown */

struct attribute_filter { /* any of the values */
    struct str key;
    const struct str *values;
    uint32_t value_count;
};

struct filter {                   /* all given conditions must hold */
    const struct str *categories; /* any of these names somewhere in the path */
    uint32_t category_count;
    int64_t price_min,
        price_max; /* hundredths; PRICE_NONE: no bound. An item without a price fails a bound */
    bool in_stock; /* stock unknown counts as in stock; sold-out items only leave with this */
    const struct attribute_filter *attributes;
    uint32_t attribute_count;
};

struct query {
    enum surface surface;
    const struct str *items; /* the context, in the order given, newest last; repeats allowed: the
                                first place counts, for session the last */
    uint32_t item_count;
    const struct str *exclude;
    uint32_t exclude_count;
    struct filter filter;
    const struct fresh *fresh;           /* orders since the model's training; NULL: none */
    const struct shopper *shopper;       /* whom personal and rebuy are about; NULL: nobody known */
    const struct event_weights *weights; /* what the deeds of a history count; NULL: the default */
    bool bought_included;                /* personal: what was bought may be suggested again */
    bool history_loading;                /* shoppers are not all in memory yet */
    uint32_t limit;                      /* 1..LIMIT_ANSWER_ITEMS */
    double
        diversity;  /* [0,1]; 0: by score alone, else unlike items are preferred (MMR); not rebuy */
    double novelty; /* [0,1]: scores are divided by the item's orders to this power; not rebuy.
                       Below 0: to that of the recipe's mix */
    bool explain;
    int64_t now_ms;
};

/* Why a suggestion is there: the context item that contributed the most to the score by one matrix
 * (ties: the earlier matrix, then the newer item); for basket the strongest rule that has this item
 * among its antecedents, all of them in the context, where there is one (see struct strong_rules;
 * ties: the first in rule order). What its popularity counts more for than any row of the context
 * is there for that. */
enum because_kind {
    BECAUSE_NONE,
    BECAUSE_RULE,
    BECAUSE_NEIGHBOUR, /* bought together: in one order, or by one shopper */
    BECAUSE_AFTER,     /* bought after it */
    BECAUSE_VISITS,    /* visits like this one have it */
    BECAUSE_TASTE,     /* bought by shoppers whose purchases are alike; nobody bought both yet */
    BECAUSE_HABIT,
    BECAUSE_TREND,
    BECAUSE_POPULAR
};
const char *because_kind_name(enum because_kind k);

struct because {
    enum because_kind kind;
    uint32_t items[BECAUSE_ITEMS_MAX]; /* the context items that spoke for it: see answer_item_id */
    uint32_t item_count;
    uint64_t count; /* orders with these and the suggestion; what else the source counts */
    double support, confidence, lift; /* NAN where they mean nothing */
    double trend;                     /* of popularity, for trend; else NAN */
    int64_t last_ms;                  /* habit: when it was last bought; else INT64_MIN */
    double gap_days; /* habit: between two purchases, on average; NAN after only one */
    /* Static, what `count` counts: "rule", "orders" and "alike": orders with both; "fresh": such
     * orders since the training, of which the shares are, too; "shoppers": shoppers who bought
     * both; "next": shoppers who bought the suggestion after it; "visits": those in which the
     * suggestion came after it; "neighbours": of the past visits most like this one those with the
     * suggestion, `support` being their share; "buyers", for taste: shoppers who bought the
     * suggestion; "history": the shopper's orders of it, of the LIMIT_HISTORY_LINES newest lines;
     * "orders_7d" for trend, "orders_28d" or, when those are 0, "orders_all" for popular. */
    const char *source;
};

struct suggestion {
    uint32_t item; /* model index; not below item_count: the model does not know it */
    uint32_t slot; /* catalogue slot */
    float score;   /* [0,1] after blending: the best of the answer is not forced to 1 */
    struct because because;
};

/* Why the answer is not what was asked for. */
enum fallback {
    FALLBACK_NONE,
    FALLBACK_EMPTY_CONTEXT,
    FALLBACK_UNKNOWN_CONTEXT,
    FALLBACK_NO_CANDIDATES,
    FALLBACK_UNKNOWN_USER,
    FALLBACK_HISTORY_LOADING,
    FALLBACK_COUNT
};
const char *fallback_name(enum fallback f); /* NULL for NONE; "popular:empty_context", … */

/* Candidates dropped, by the first reason that applied. Filters are tried from the best candidate
 * down until the answer is full: these are the ones that would otherwise be in it. */
enum drop {
    DROP_EXCLUDED,
    DROP_UNAVAILABLE,
    DROP_CATEGORY,
    DROP_PRICE,
    DROP_IN_STOCK,
    DROP_ATTRIBUTES,
    DROP_COUNT
};
const char *drop_name(enum drop d);
/* The condition that an item fails, DROP_COUNT when all hold. Caller holds the catalogue's lock. */
enum drop filter_item(const struct filter *f, const struct catalog_item *item);

struct answer {
    enum surface surface;
    enum fallback fallback;
    const struct suggestion *items; /* best first: score, then popularity, then id */
    uint32_t count;
    const uint32_t *unknown; /* indices into query.items the model knows nothing of, repeats once */
    uint32_t unknown_count;
    uint32_t candidates; /* before filters, of the surface that answered (popular after a fallback)
                          */
    uint32_t dropped[DROP_COUNT];
};

struct scratch;
struct scratch *scratch_new(struct error *err) WARN_UNUSED; /* one per thread */
void scratch_free(struct scratch *s);

/* The external id of an item index of an answer (`item` of a suggestion, `items` of its reason). */
struct str answer_item_id(const struct model *m, const struct catalog *c, const struct query *q,
                          uint32_t item);

/* ERR_NOMEM only: queries are validated by the caller (at most LIMIT_QUERY_ITEMS items and excluded
 * ones), unknown ids are not an error. */
int recommend(const struct model *m, const struct catalog *c, const struct query *q,
              struct scratch *s, struct answer *out, struct error *err) WARN_UNUSED;
#endif
