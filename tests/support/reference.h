/* The answer of recommend() worked out the slow, obvious way: every item of the model is scored on
 * its own by looking at all rules and all rows, then filtered, then sorted. */
#ifndef TESTS_SUPPORT_REFERENCE_H
#define TESTS_SUPPORT_REFERENCE_H

#include "base/limits.h"
#include "engine/recommend.h"

struct reference {
    struct answer answer; /* items borrowed from `items`; unknown from `unknown` */
    struct suggestion items[LIMIT_ANSWER_ITEMS];
    uint32_t unknown[LIMIT_QUERY_ITEMS];
};

void reference_recommend(const struct model *m, const struct catalog *c, const struct query *q,
                         struct reference *out);

#endif
