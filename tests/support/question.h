/* Questions to the engine in tests, and the names of what is answered. Failures fail the test. */
#ifndef SUPPORT_QUESTION_H
#define SUPPORT_QUESTION_H

#include "engine/recommend.h"
#include "support/tinyshop.h"

#define NO_FILTER                                                                                  \
    (struct filter)                                                                                \
    {                                                                                              \
        .price_min = PRICE_NONE, .price_max = PRICE_NONE                                           \
    }

/* One question with ids in a text, "a b c"; limit 10, explained, no filter. */
struct question {
    struct query q;
    struct str items[32], exclude[32];
};
void ask(struct question *to, enum surface surface, const char *items, const char *exclude);

struct scratch *new_scratch(void);
struct answer answer_of(const struct tinyshop *t, const struct query *q, struct scratch *s);

/* The answer's names in order, "b c"; valid until the next call. */
const char *names_of(const struct tinyshop *t, const struct answer *a);

/* A trained shop of small bundles: a b c together, d with e, popular f alone. */
void bundle_shop(struct tinyshop *t);

#endif
