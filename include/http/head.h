/* The head of a request, as far as the service looks at it, and the guard: the checks that
 * libmicrohttpd 0.9.75 leaves out and without which a proxy and this server could disagree about
 * where a request ends (request smuggling). They run before any byte of the body.
 *
 *     head_init, head_target, head_field for each field, head_check
 *
 * Strings are borrowed from whoever parsed the request. Any thread. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/str.h"

/* A target this long still leaves room for the answer's head in a connection's 16 KiB. */
#define HEAD_TARGET_BYTES 4096
#define HEAD_FIELDS       64
#define HEAD_FIELD_BYTES  4096

/* Fields the service reads; each may be there once. */
enum head_name {
    HEAD_HOST,
    HEAD_CONTENT_LENGTH,
    HEAD_TRANSFER_ENCODING,
    HEAD_EXPECT,
    HEAD_CONTENT_TYPE,
    HEAD_CONTENT_ENCODING,
    HEAD_AUTHORIZATION,
    HEAD_API_KEY,
    HEAD_ORIGIN,
    HEAD_REQUEST_ID,
    HEAD_TRACEPARENT,
    HEAD_IF_NONE_MATCH,
    HEAD_PREFER,
    HEAD_PREFLIGHT_METHOD, /* Access-Control-Request-Method */
    HEAD_NAMES
};

struct head {
    struct str value[HEAD_NAMES]; /* ptr NULL: not there; trimmed */
    unsigned count[HEAD_NAMES];
    unsigned fields;
    size_t field_bytes;
    const char *fault;    /* of the target or a field: why the request is refused; NULL: none */
    bool target_too_long; /* the only fault that is not a 400 */
};

void head_init(struct head *h);
/* The target as sent, of which `cut` says that it was longer than HEAD_TARGET_BYTES. */
void head_target(struct head *h, struct str target, bool cut);
void head_field(struct head *h, struct str name, struct str value);

/* 0, or the status to refuse with and the reason. `method_known`: the method is one we have. */
int head_check(const struct head *h, struct str version, bool method_known, const char **reason);

/* A body is announced. */
bool head_has_body(const struct head *h);
/* 0, or 413/400: Content-Length beyond `limit`. *length is UINT64_MAX for a chunked body, 0 for
 * none. After head_check. */
int head_length(const struct head *h, uint64_t limit, uint64_t *length);

#endif
