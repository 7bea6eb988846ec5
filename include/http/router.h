/* Which handler answers: a static table of paths and methods. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "base/buf.h"
#include "http/fields.h"
#include "service/access.h"

/* In the order of metrics_methods. */
enum method {
    METHOD_GET,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_ROUTED, /* those above have handlers */
    METHOD_HEAD = METHOD_ROUTED,
    METHOD_OPTIONS,
    METHOD_OTHER
};

enum body_policy {
    BODY_NONE,  /* a small one is read and dropped */
    BODY_JSON,  /* collected, at most ROUTER_JSON_BYTES */
    BODY_STREAM /* handed to the route piece by piece */
};

/* 1,000 items of a basket in JSON; jansson takes 2 ms for as much. */
#define ROUTER_JSON_BYTES (64u << 10)
/* What a request without use for a body may send all the same. */
#define ROUTER_DROPPED_BYTES (64u << 10)

struct request;

/* A handler's result: an HTTP status, or one of these. */
#define LATER 0 /* the request waits; its resume function goes on */
#define GO_ON (-1)

struct route {
    int (*handle)(struct request *r); /* after the body; NULL: no such method here */
    enum access_scope scope;
    enum body_policy body;
    const struct field *params; /* NULL: there are none, and the handler is not called with any */
    const struct field *json;   /* the body's fields, where a table judges them */
    /* BODY_STREAM: when the head is there, and for each piece. GO_ON, LATER (the piece is offered
     * again) or a status that refuses the request. */
    int (*begin)(struct request *r);
    int (*feed)(struct request *r, struct str bytes);
};

struct path {
    const char *pattern; /* "/items/{id}": one variable, to the end of the path */
    struct route routes[METHOD_ROUTED];
};

struct match {
    const struct path *path;   /* NULL: 404 */
    const struct route *route; /* NULL: 405 (or OPTIONS) */
    struct str argument;       /* the variable's value */
    uint32_t label;            /* index into router_labels */
};

enum method method_parse(struct str name);
struct match router_nowhere(void); /* what is known before, and of requests refused earlier */
void router_find(enum method method, struct str path, struct match *out);
/* "GET, HEAD, OPTIONS" of a path. */
void router_allow(const struct path *path, struct buf *out);

const struct path *router_paths(uint32_t *count);
/* The patterns, and a last one for what has no path; for metrics. */
const char *const *router_labels(uint32_t *count);

#endif
