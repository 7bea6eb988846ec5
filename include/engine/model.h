/* The model: everything that answers, immutable once built, counted by atomic references.
 *
 * Sections are flat arrays; saving and loading go through a table of (part name, pointer, element
 * size, count), so that a new section is one line. A learner is one entry of `sources`: rows item
 * -> best items, one CSR each (design: "everything learnt becomes a sparse matrix"). */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "data/dict.h"
#include "learn/cooc.h"
#include "learn/popularity.h"
#include "learn/sgns.h"
#include "mine/ruletrie.h"

#include <stdatomic.h>

enum source_kind { SOURCE_LLR, SOURCE_COSINE, SOURCE_SGNS, SOURCE_COUNT };
const char *source_name(enum source_kind kind); /* "llr", "cosine", "sgns" */

struct source {
    struct csr rows; /* item -> best items, best first; each row scaled so that the matrix's largest
                        is 1 */
    uint32_t *both;  /* [entries] baskets with both items: the evidence */
    float weight;    /* in the blend of the basket surface */
};

struct model {
    atomic_uint refs;
    int64_t id; /* of models.db; 0: not stored */
    int64_t created_ms;
    uint32_t item_count, basket_count, user_count;
    uint64_t changes;  /* order_stats.changes the training saw */
    struct dict items; /* external ids */
    uint32_t *slot;    /* [item_count] catalogue slot */
    struct popularity popularity;
    struct rules rules;
    struct ruletrie trie; /* rebuilt at load */
    struct source sources[SOURCE_COUNT];
    struct embeddings vectors;
};

/* An empty model with one reference; the trainer moves its parts in, then calls model_seal. */
struct model *model_new(struct error *err) WARN_UNUSED;
/* Builds what is derived (trie) and checks every invariant; afterwards nothing changes. */
int model_seal(struct model *m, struct error *err) WARN_UNUSED;
struct model *model_ref(struct model *m);
void model_unref(struct model *m); /* NULL allowed; any thread */
size_t model_bytes(const struct model *m);

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
int model_save(const struct model *m, const struct model_sink *sink, struct error *err) WARN_UNUSED;
/* ERR_CORRUPT: a part is missing, of the wrong size or breaks an invariant; the model of another
 * format version says so. id and created_ms are the caller's to set. */
struct model *model_load(const struct model_source *source, struct error *err) WARN_UNUSED;
#endif
