/* What is wrong with a request, piece by piece: the `errors` of an application/problem+json answer
 * (RFC 9457). Places are JSON Pointers (RFC 6901) into the body, or names of parameters. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>

#define PROBLEMS_MAX 20

/* Where a value stands: a member or an element of `up`; up NULL: of the whole. */
struct place {
    const struct place *up;
    struct str name; /* ptr NULL: an element */
    size_t index;
    bool parameter; /* a query parameter; up is NULL */
};

struct problem {
    struct str detail, where;
    bool parameter;
};

struct problems {
    struct arena *arena; /* the texts' */
    struct problem at[PROBLEMS_MAX];
    uint32_t count; /* kept */
    uint32_t total; /* all */
    bool no_memory;
};

void problems_init(struct problems *p, struct arena *arena);
void problems_add(struct problems *p, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* [{"detail":"…","pointer":"/filter/price/max"},{"detail":"…","parameter":"limit"}] */
void problems_json(const struct problems *p, struct buf *out);

#endif
