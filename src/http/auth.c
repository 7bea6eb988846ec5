/* Scopes are the router's, keys the service's; here is only how HTTP carries them. */
#include "http/auth.h"

#include "http/cors.h"
#include "http/respond.h"

/* As sent, empty when there is none. Authorization wins over X-API-Key. */
static struct str auth_key(const struct head *head)
{
    struct str given = head->value[HEAD_AUTHORIZATION];
    if (!given.ptr)
        return head->value[HEAD_API_KEY].ptr ? head->value[HEAD_API_KEY] : STR("");
    struct str scheme = str_cut(&given, ' ');
    if (!str_eq_nocase(scheme, STR("Bearer")) || !given.ptr)
        return STR("");
    return str_trim(given);
}

static const char *scope_name(enum access_scope scope)
{
    switch (scope) {
    case ACCESS_OPEN:
        return "open";
    case ACCESS_READ:
        return "read";
    case ACCESS_INGEST:
        return "ingest";
    case ACCESS_ADMIN:
        return "admin";
    case ACCESS_METRICS:
        return "metrics";
    }
    return "";
}

/* Any page can make its visitor's browser post here; without keys only the origin tells. */
static bool is_foreign_write(const struct request *r)
{
    struct str origin = r->head.value[HEAD_ORIGIN];
    return origin.ptr && r->match.route->scope > ACCESS_READ &&
           !cors_same_origin(origin, r->head.value[HEAD_HOST]);
}

int auth_check(struct request *r)
{
    char id[17];
    enum access_scope scope = r->match.route->scope;
    if (scope == ACCESS_OPEN)
        return 0;
    switch (access_check(request_shop(r), auth_key(&r->head), scope, id)) {
    case ACCESS_GRANTED:
        if (is_foreign_write(r) && !access_has_keys(request_shop(r)))
            return respond_problem(r, 403, "a page of another origin may not do this");
        return 0;
    case ACCESS_MISSING:
        respond_field(r, "WWW-Authenticate", "Bearer realm=\"basketd\"");
        return respond_problem(r, 401,
                               "send a key with scope %s as \"Authorization: Bearer bk_…\" or as "
                               "\"X-API-Key: bk_…\"",
                               scope_name(scope));
    case ACCESS_UNKNOWN:
        respond_field(r, "WWW-Authenticate", "Bearer realm=\"basketd\", error=\"invalid_token\"");
        return respond_problem(r, 401, "the key is not known, or was revoked");
    case ACCESS_WRONG_SCOPE:
        respond_field(r, "WWW-Authenticate",
                      "Bearer realm=\"basketd\", error=\"insufficient_scope\"");
        return respond_problem(r, 403, "key %s does not have scope %s", id, scope_name(scope));
    }
    return respond_problem(r, 401, "no access");
}
