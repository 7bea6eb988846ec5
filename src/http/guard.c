/* The request guard: libmicrohttpd 0.9.75 lets most request-smuggling forms pass, so framing is
 * checked once more on the first call, before any byte of the body, and a refused request closes
 * its connection: what follows it is never parsed.
 *
 * Rules: names are RFC 9110 tokens, values have no control characters; one Content-Length or one
 * Transfer-Encoding: chunked, never both, never in HTTP/1.0; exactly one Host; a target that is a
 * plain path; no folded framing header (a folded line is appended to the *name*); bounded counts
 * and sizes. */
#include "http_internal.h"

#include <string.h>

#define TARGET_BYTES 4096
#define FIELDS_MAX   64
#define FIELDS_BYTES 4096

static void refuse(struct guard *g, int status, const char *problem)
{
    if (g->status == 0) {
        g->status = status;
        g->problem = problem;
    }
}

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.len > 0;
}

static bool has_control(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq_nocase((struct str){s.ptr, prefix.len}, prefix);
}

static void framing(struct guard *g, struct str name, struct str value)
{
    const struct str length = STR("Content-Length"), encoding = STR("Transfer-Encoding");
    if (str_eq_nocase(name, length)) {
        g->lengths++;
        if (!str_to_u64(value, &g->content_length))
            refuse(g, 400, "Content-Length is not a number");
    } else if (str_eq_nocase(name, encoding)) {
        g->encodings++;
        g->chunked = str_eq_nocase(value, STR("chunked"));
        if (!g->chunked)
            refuse(g, 400, "Transfer-Encoding other than chunked");
    } else if (starts_nocase(name, length) || starts_nocase(name, encoding)) {
        refuse(g, 400, "a framing header is folded");
    } else if (str_eq_nocase(name, STR("Host"))) {
        g->hosts++;
    } else if (str_eq_nocase(name, STR("Expect")) && !str_eq_nocase(value, STR("100-continue"))) {
        refuse(g, 417, "Expect other than 100-continue");
    }
}

void guard_header(struct guard *g, struct str name, struct str value)
{
    g->fields++;
    g->bytes += name.len + value.len;
    if (!is_token(name))
        refuse(g, 400, "a header name is not a token");
    else if (has_control(value))
        refuse(g, 400, "a header value has a control character");
    else
        framing(g, name, value);
}

int guard_verdict(struct guard *g, const char *version, const char **problem)
{
    bool old = strcmp(version, "HTTP/1.0") == 0;
    if (!old && strcmp(version, "HTTP/1.1") != 0)
        refuse(g, 400, "not HTTP/1.0 or HTTP/1.1");
    if (g->fields > FIELDS_MAX || g->bytes > FIELDS_BYTES)
        refuse(g, 431, "more than 64 header fields or 4,096 bytes of them");
    if (g->lengths > 1)
        refuse(g, 400, "more than one Content-Length");
    if (g->encodings > 1)
        refuse(g, 400, "more than one Transfer-Encoding");
    if (g->lengths > 0 && g->encodings > 0)
        refuse(g, 400, "Content-Length with Transfer-Encoding");
    if (old && g->encodings > 0)
        refuse(g, 400, "Transfer-Encoding in HTTP/1.0");
    if (g->hosts > 1 || (!old && g->hosts == 0))
        refuse(g, 400, "exactly one Host is needed");
    *problem = g->problem;
    return g->status;
}

int guard_target(const char *target, const char **problem)
{
    size_t length = strlen(target);
    *problem = "the target is not a plain path";
    if (length > TARGET_BYTES) {
        *problem = "the target is longer than 4,096 bytes; POST /recommend takes long baskets";
        return 414;
    }
    if (target[0] != '/' && strcmp(target, "*") != 0)
        return 400;
    for (const char *c = target; *c; c++) {
        if ((unsigned char)*c <= 32 || (unsigned char)*c >= 127)
            return 400;
        if (c[0] == '%' && c[1] == '0' &&
            (c[2] == '0' || c[2] == 'a' || c[2] == 'A' || c[2] == 'd' || c[2] == 'D'))
            return 400;
    }
    return 0;
}
