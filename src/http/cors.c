/* The list is short and read only when there is an Origin field. */
#include "http/cors.h"

#include "http/loop.h"
#include "http/respond.h"

const char *cors_problem(struct str list)
{
    while (list.ptr && list.len) {
        struct str origin = str_trim(str_cut(&list, ','));
        struct str rest = origin;
        struct str scheme = str_cut(&rest, ':');
        if (!str_eq(scheme, STR("https")) && !str_eq(scheme, STR("http")))
            return "an origin begins with https:// or http://";
        if (!str_starts(rest, STR("//")) || rest.len < 3)
            return "an origin is scheme://host, with :port where it is not the usual one";
        for (size_t i = 2; i < rest.len; i++)
            if (rest.ptr[i] == '/' || rest.ptr[i] == '*' || rest.ptr[i] <= ' ')
                return "an origin has no path, no blank and no '*'";
    }
    return NULL;
}

bool cors_allowed(struct str list, struct str origin)
{
    while (list.ptr && list.len)
        if (str_eq(str_trim(str_cut(&list, ',')), origin))
            return true;
    return false;
}

bool cors_same_origin(struct str origin, struct str host)
{
    struct str rest = origin;
    str_cut(&rest, ':');
    return str_starts(rest, STR("//")) &&
           str_eq_nocase((struct str){rest.ptr + 2, rest.len - 2}, host);
}

/* The methods of the path that a read key opens. */
static bool is_readable(const struct path *path)
{
    for (int m = 0; m < METHOD_ROUTED; m++)
        if (path->routes[m].handle && path->routes[m].scope <= ACCESS_READ)
            return true;
    return false;
}

static void preflight_fields(struct request *r)
{
    struct buf methods;
    const struct path *path = r->match.path;
    buf_init(&methods, 0);
    for (int m = 0; m < METHOD_ROUTED; m++)
        if (path->routes[m].handle && path->routes[m].scope <= ACCESS_READ)
            buf_printf(&methods, "%s%s", methods.len ? ", " : "", metrics_methods[m]);
    respond_copied(r, "Access-Control-Allow-Methods", (struct str){methods.ptr, methods.len});
    respond_field(r, "Access-Control-Allow-Headers",
                  "Authorization, X-API-Key, Content-Type, If-None-Match, X-Request-ID, "
                  "traceparent");
    respond_field(r, "Access-Control-Max-Age", "600");
    buf_deinit(&methods);
}

void cors_fields(struct request *r)
{
    struct str list = str_of(request_shop(r)->settings->cors_origins);
    if (list.len == 0)
        return;
    respond_field(r, "Vary", "Origin");
    struct str origin = r->head.value[HEAD_ORIGIN];
    if (!origin.ptr || !r->match.path || !is_readable(r->match.path) || !cors_allowed(list, origin))
        return;
    if (r->match.route && r->match.route->scope > ACCESS_READ)
        return;
    respond_copied(r, "Access-Control-Allow-Origin", origin);
    if (r->method == METHOD_OPTIONS)
        preflight_fields(r);
    else
        respond_field(r, "Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-ID");
}
