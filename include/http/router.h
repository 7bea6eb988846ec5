/* The route table: one row per method and path pattern, walked by the tests against openapi.yaml.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "base/str.h"
#include "service/access.h"

struct request;

enum http_method {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_HEAD,
    HTTP_OPTIONS,
    HTTP_METHOD_OTHER
};
enum http_method http_method_parse(const char *name); /* case-sensitive */
const char *http_method_name(enum http_method method);

enum body_policy { BODY_NONE, BODY_JSON, BODY_STREAM };

struct route {
    const char *pattern; /* "/items/{id}": the rest of the path is the id, slashes included */
    void (*handle)(struct request *r); /* the whole body is there */
    enum http_method method;
    enum access_scope scope;
    enum body_policy body;
    bool cors; /* browsers of the listed origins may ask */
};

extern const struct route routes[];
extern const uint32_t route_count;

/* The route of a decoded path; a GET route also serves HEAD. NULL: none; then *allowed has a bit
 * for every method the path knows (0: unknown path). *id: what {id} stands for. */
const struct route *route_find(enum http_method method, struct str path, struct str *id,
                               unsigned *allowed);

#endif
