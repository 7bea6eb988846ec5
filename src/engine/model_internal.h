/* What the files of the model share. */
#ifndef ENGINE_MODEL_INTERNAL_H
#define ENGINE_MODEL_INTERNAL_H

#include "engine/model.h"

/* Every invariant of the stored sections, in an order that makes each check safe; ERR_CORRUPT. */
int model_check(const struct model *m, struct error *err) WARN_UNUSED;

/* strong.index, or with an index given, a check of it; then the rest of `strong`. Needs the trie.
 */
int strong_rules_build(struct model *m, struct error *err) WARN_UNUSED;
void strong_rules_deinit(struct strong_rules *s);

/* A rule as the orders see it. */
struct rule_entry {
    double value; /* of the measure; an undefined one is +infinity */
    uint32_t both, rule;
};
struct rule_entry rule_entry_of(const struct model *m, enum rule_sort sort, uint32_t rule);
int rule_entry_compare(const void *a, const void *b); /* qsort order, largest first; total */

/* The missing orders made, the given ones checked. */
int rule_orders_build(struct model *m, struct error *err) WARN_UNUSED;

#endif
