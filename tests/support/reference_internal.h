/* What the parts of the obvious way share. */
#ifndef TESTS_SUPPORT_REFERENCE_INTERNAL_H
#define TESTS_SUPPORT_REFERENCE_INTERNAL_H

#include "support/reference.h"

struct reference_state {
    const struct model *m;
    const struct catalog *c;
    const struct query *q;
    uint32_t context[LIMIT_QUERY_ITEMS], context_count;
    float *neighbours; /* [items of the model] what past visits add to scores */
    uint32_t *holders; /* [items of the model] past visits that spoke and have it */
};

const struct fresh_item *reference_fresh_of(const struct reference_state *s, uint32_t item);
uint32_t reference_orders_of(const struct reference_state *s, uint32_t item);
uint32_t reference_orders_28d_of(const struct reference_state *s, uint32_t item);
float reference_prior_of(const struct reference_state *s, uint32_t item);
float reference_entry_share(const struct reference_state *s, int k, uint32_t t);
uint64_t reference_entry_of(const struct csr *rows, uint32_t i, uint32_t j);
float reference_fresh_share(const struct reference_state *s, uint32_t t, uint32_t item);
bool reference_among(const uint32_t *items, uint32_t count, uint32_t item);

/* reference_because.c: the reason of each suggestion. */
void reference_explain(const struct reference_state *s, enum surface answered,
                       struct reference *out);
#endif
