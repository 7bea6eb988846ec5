/* The request target: "/items/a%20b?limit=5&in_stock=true" -> decoded path and parameters. The one
 * string that is routed and authorised is the decoded path. Results live as long as the arena. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/arena.h"
#include "base/error.h"

#define TARGET_PARAMS_MAX 64

struct param {
    struct str name, value; /* decoded; value "" also when there is no '=' */
    const char *fault;      /* why the value cannot be used; NULL: it is UTF-8 */
};

struct params {
    struct param *at; /* in the order sent */
    uint32_t count;
};

/* ERR_INVALID: the path or a name is not UTF-8 or has a bad percent code, or there are more than
 * TARGET_PARAMS_MAX parameters. "+" means a blank in the query, as forms send it. */
int target_parse(struct str target, struct arena *arena, struct str *path, struct params *params,
                 struct error *err) WARN_UNUSED;

#endif
