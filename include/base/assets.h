/* Files of the source tree that travel inside the program: migrations and openapi.yaml, so that a
 * binary needs nothing beside it. Paths are those of the source tree. Immutable. Any thread. */
#ifndef BASE_ASSETS_H
#define BASE_ASSETS_H

#include "base/str.h"

struct asset {
    const char *path;   /* "migrations/orders/001_start.sql" */
    struct str content; /* a NUL follows the last byte, so that text serves as a C string too */
};

/* The asset of exactly this path; NULL when there is none. */
const struct asset *assets_find(const char *path);

/* Assets whose path starts with `prefix`, in byte order of their paths: the first one when `after`
 * is NULL, else the one that follows it. NULL at the end.
 *     for (a = NULL; (a = assets_next("migrations/orders/", a));) … */
const struct asset *assets_next(const char *prefix, const struct asset *after);

#endif
