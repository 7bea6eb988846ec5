/* The model: everything that answers, immutable once sealed, counted by atomic references.
 *
 * Sections are flat arrays; saving and loading go through a table of (part name, member, element
 * size, count), so that a new section is one line. Everything learnt is a sparse matrix, item ->
 * best items: one for each way in which items come together, the learners of each added up by the
 * recipe (engine/recipe.h). */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "data/dict.h"
#include "engine/recipe.h"
#include "learn/cooc.h"
#include "learn/popularity.h"
#include "learn/repeat.h"
#include "learn/sessionknn.h"
#include "learn/sgns.h"
#include "mine/ruletrie.h"

#include <stdatomic.h>

/* What a matrix counts: its evidence. orders and alike: orders with both items; shoppers: shoppers
 * who bought both; next: shoppers who bought the row's item and the column's after it; visits:
 * those in which the column's was looked at after the row's. Shoppers of more than 1000 distinct
 * items are not learnt from, nor counted. */
struct matrix {
    struct csr rows; /* item -> best items; weights of either sign, largest first */
    uint32_t *both;  /* [entries] the evidence; >= 1, but for what low rank says of shoppers */
};

/* What /rules can sort by. Support and count are one order. */
enum rule_sort {
    SORT_LIFT,
    SORT_CONFIDENCE,
    SORT_SUPPORT,
    SORT_COUNT,
    SORT_LEVERAGE,
    SORT_CONVICTION,
    SORT_CONFIDENCE_LOW,
    SORT_IMPROVEMENT,
    SORT_Q,
    SORT_COUNT_OF
};

/* An explaining rule has at most this many items on the left. */
#define BECAUSE_ITEMS_MAX 8

/* The rules that can be the strongest reason for their consequent in some basket. Strength is the
 * lower end of Wilson's 95 % interval of the confidence: what the rule promises after doubt for few
 * baskets is taken off. A rule with a sub-rule (fewer items on the left, same consequent) of at
 * least its strength never is the strongest, as the sub-rule matches whenever it does. */
struct strong_rule {
    uint32_t consequent;
    float strength; /* (0,1) */
};
struct strong_rules {
    uint32_t count;
    uint32_t *index;          /* [count] position in model.rules, ascending */
    struct strong_rule *rule; /* [count] */
    struct ruletrie trie;     /* its ranges are positions in these arrays */
};

/* What an item has in a surface before any context speaks: its popularity, as the mix weighs it. */
struct prior {
    float *of_item; /* [item_count]; NULL: the surface does without */
    uint32_t *best; /* [best_count] the items with the largest, for contexts that reach too few */
    uint32_t best_count;
};
#define PRIOR_BEST_MAX 100

struct model {
    atomic_uint refs;
    int64_t id; /* of models.db; 0: not stored */
    int64_t created_ms;
    uint32_t item_count, basket_count, user_count;
    uint64_t changes;             /* order_stats.changes the training saw */
    uint64_t newest_order;        /* highest key of an order it saw */
    struct dict items;            /* external ids */
    uint32_t *slot;               /* [item_count] catalogue slot, ascending */
    struct popularity popularity; /* equal counts rank by external id */
    struct rules rules;
    struct recipe recipe;
    struct matrix matrices[MATRIX_COUNT];
    uint32_t *buyers; /* [item_count] shoppers who bought it, as the matrices count them */
    uint32_t *visits; /* [item_count] visits that have it */
    uint32_t visit_count;
    struct sessionknn neighbours; /* past visits, for what comes next in one like them */
    struct repeat_model repeat;   /* what shoppers buy again, and when */
    struct embeddings vectors;

    /* Derived by model_seal when NULL or zero. */
    struct ruletrie trie;
    struct strong_rules strong;
    uint32_t *rule_order[SORT_COUNT_OF]; /* [rules.count] rules, largest first; [SORT_SUPPORT] NULL,
                                            use model_rule_order */
    struct prior priors[MIX_COUNT];
    uint32_t popular_count;  /* by_rank[0..] that have orders; the others only have events */
    uint32_t trending_count; /* by_trend[0..] that rise: sold in the last 7 days, trend > 0 */
};

/* An empty model with one reference; the trainer moves its parts in, then calls model_seal. */
struct model *model_new(struct error *err) WARN_UNUSED;
/* Makes what is derived and checks every invariant (ERR_CORRUPT); afterwards nothing changes. */
int model_seal(struct model *m, struct error *err) WARN_UNUSED;
struct model *model_ref(struct model *m);
void model_unref(struct model *m); /* NULL allowed; any thread */
/* The item that has a catalogue slot; DICT_NONE: the model does not know it. */
uint32_t model_item_of_slot(const struct model *m, uint32_t slot);
size_t model_bytes(const struct model *m);

/* Rules by `sort`, largest first; ties: larger count, then lower index. An undefined value (a
 * conviction at confidence 1) counts as the largest. */
const uint32_t *model_rule_order(const struct model *m, enum rule_sort sort);
/* The value rules are sorted by; NAN when undefined. */
double model_rule_value(const struct model *m, enum rule_sort sort, uint32_t rule);

struct model_sink {
    void *context;
    int (*put)(void *context, const char *part, const void *bytes, uint64_t count,
               struct error *err);
};
struct model_source {
    void *context;
    int (*size)(void *context, const char *part, uint64_t *bytes, struct error *err);
    int (*read)(void *context, const char *part, void *into, uint64_t bytes, struct error *err);
};
/* Each part is put once, never empty. The bytes are those of a little-endian machine. */
int model_save(const struct model *m, const struct model_sink *sink, struct error *err) WARN_UNUSED;
/* A sealed model. ERR_CORRUPT: a part is missing, of the wrong size or breaks an invariant; a model
 * of another format version says so. Whatever the bytes are, nothing is read out of bounds. id and
 * created_ms are the caller's to set. */
struct model *model_load(const struct model_source *source, struct error *err) WARN_UNUSED;
#endif
