/* What building and fitting share. */
#ifndef LEARN_REPEAT_INTERNAL_H
#define LEARN_REPEAT_INTERNAL_H

#include "data/histories.h"
#include "learn/repeat.h"

/* Gaps, rates and demand as they were known before the basket `baskets` of d, of `h`, the histories
 * of its users: only what is earlier than before_ms counts. */
int repeat_count(const struct dataset *d, const struct histories *h, uint32_t baskets,
                 int64_t before_ms, struct repeat_model *out, struct error *err) WARN_UNUSED;

void repeat_features(const struct repeat_model *m, const struct repeat_item *item, int64_t now_ms,
                     float x[REPEAT_FEATURES], struct repeat_evidence *out);

/* Learns weights and bias into m->weight, m->bias, m->shoppers. */
int repeat_fit(const struct dataset *d, const struct histories *h, struct repeat_model *m,
               struct error *err) WARN_UNUSED;

#endif
