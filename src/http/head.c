/* The request guard, rule by rule. A name is compared only with the known names of its length.
 *
 * libmicrohttpd appends a folded line to the field's *name* ("Transfer-Encoding:␍␊ chunked" becomes
 * a field "Transfer-Encodingchunked" that frames nothing), so a name that begins with a framing
 * name is refused, as is any name with a byte that RFC 9110 does not allow there. */
#include "http/head.h"

#include <stddef.h>
#include <string.h>

struct name {
    struct str text;
    enum head_name name;
};

#define NAME(literal, name)                                                                        \
    {                                                                                              \
        {(literal), sizeof(literal) - 1}, name                                                     \
    }
static const struct name names[] = {
    NAME("Host", HEAD_HOST),
    NAME("Content-Length", HEAD_CONTENT_LENGTH),
    NAME("Transfer-Encoding", HEAD_TRANSFER_ENCODING),
    NAME("Expect", HEAD_EXPECT),
    NAME("Content-Type", HEAD_CONTENT_TYPE),
    NAME("Content-Encoding", HEAD_CONTENT_ENCODING),
    NAME("Authorization", HEAD_AUTHORIZATION),
    NAME("X-API-Key", HEAD_API_KEY),
    NAME("Origin", HEAD_ORIGIN),
    NAME("X-Request-ID", HEAD_REQUEST_ID),
    NAME("traceparent", HEAD_TRACEPARENT),
    NAME("If-None-Match", HEAD_IF_NONE_MATCH),
    NAME("Prefer", HEAD_PREFER),
    NAME("Access-Control-Request-Method", HEAD_PREFLIGHT_METHOD),
};
_Static_assert(sizeof names / sizeof names[0] == HEAD_NAMES, "one row per name");

void head_init(struct head *h)
{
    *h = (struct head){.fault = NULL};
}

void head_target(struct head *h, struct str target, bool cut)
{
    if (cut) {
        h->fault = "the request target is longer than 4096 bytes";
        h->target_too_long = true;
        return;
    }
    if (target.len == 0 || target.ptr[0] != '/') {
        h->fault = "the request target does not start with '/'";
        return;
    }
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c >= 0x7f)
            h->fault = "the request target has a byte that must be percent-encoded";
        if (c != '%' || target.len - i < 3)
            continue;
        struct str code = {target.ptr + i + 1, 2};
        if (str_eq(code, STR("00")) || str_eq_nocase(code, STR("0a")) ||
            str_eq_nocase(code, STR("0d")))
            h->fault = "the request target has an encoded NUL, CR or LF";
    }
}

/* RFC 9110, 5.6.2: one bit for each character of the first 128 that a token may have. */
static const uint64_t token_bits[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 128 || !(token_bits[c / 64] >> c % 64 & 1))
            return false;
    }
    return s.len > 0;
}

static bool has_control(struct str s)
{
    bool found = false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        found |= (c < ' ' && c != '\t') || c == 0x7f;
    }
    return found;
}

static bool starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq_nocase((struct str){s.ptr, prefix.len}, prefix);
}

static bool is_folded_framing(struct str name)
{
    static const enum head_name framing[] = {HEAD_CONTENT_LENGTH, HEAD_TRANSFER_ENCODING};
    for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++) {
        struct str text = names[framing[i]].text;
        if (name.len > text.len && starts_nocase(name, text))
            return true;
    }
    return false;
}

void head_field(struct head *h, struct str name, struct str value)
{
    h->fields++;
    h->field_bytes += name.len + value.len;
    if (!is_token(name))
        h->fault = "a field name has a byte that does not belong there";
    else if (has_control(value))
        h->fault = "a field value has a control character";
    else if (is_folded_framing(name))
        h->fault = "a field name begins with the name of a framing field";
    for (size_t i = 0; i < HEAD_NAMES; i++) {
        if (names[i].text.len != name.len || !str_eq_nocase(names[i].text, name))
            continue;
        h->value[i] = str_trim(value);
        h->count[i]++;
        return;
    }
}

bool head_has_body(const struct head *h)
{
    return h->count[HEAD_TRANSFER_ENCODING] > 0 ||
           (h->count[HEAD_CONTENT_LENGTH] > 0 && !str_eq(h->value[HEAD_CONTENT_LENGTH], STR("0")));
}

static const char *framing_fault(const struct head *h, bool old)
{
    unsigned codings = h->count[HEAD_TRANSFER_ENCODING];
    if (h->count[HEAD_CONTENT_LENGTH] > 1)
        return "more than one Content-Length";
    if (codings && h->count[HEAD_CONTENT_LENGTH])
        return "both Content-Length and Transfer-Encoding";
    if (codings > 1)
        return "more than one Transfer-Encoding";
    if (codings && !str_eq_nocase(h->value[HEAD_TRANSFER_ENCODING], STR("chunked")))
        return "the only Transfer-Encoding known is chunked";
    if (codings && old)
        return "HTTP/1.0 has no Transfer-Encoding";
    if (old ? h->count[HEAD_HOST] > 1 : h->count[HEAD_HOST] != 1)
        return "expected one Host field";
    return NULL;
}

static const char *repeated_fault(const struct head *h)
{
    for (size_t i = 0; i < HEAD_NAMES; i++)
        if (h->count[i] > 1)
            return "a field is given twice that may be given once";
    return NULL;
}

int head_check(const struct head *h, struct str version, bool method_known, const char **reason)
{
    bool old = str_eq(version, STR("HTTP/1.0"));
    if (!old && !str_eq(version, STR("HTTP/1.1"))) {
        *reason = "expected HTTP/1.1 or HTTP/1.0";
        return 400;
    }
    if ((*reason = h->fault))
        return h->target_too_long ? 414 : 400;
    if ((*reason = framing_fault(h, old)) || (*reason = repeated_fault(h)))
        return 400;
    if (h->fields > HEAD_FIELDS || h->field_bytes > HEAD_FIELD_BYTES) {
        *reason = "more than 64 header fields or 4096 bytes of them";
        return 431;
    }
    if (!method_known) {
        *reason = "the method is not one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        return 501;
    }
    if (h->count[HEAD_EXPECT] && !str_eq_nocase(h->value[HEAD_EXPECT], STR("100-continue"))) {
        *reason = "the only expectation known is 100-continue";
        return 417;
    }
    return 0;
}

int head_length(const struct head *h, uint64_t limit, uint64_t *length)
{
    *length = 0;
    if (h->count[HEAD_TRANSFER_ENCODING])
        *length = UINT64_MAX;
    struct str text = h->value[HEAD_CONTENT_LENGTH];
    if (*length || !h->count[HEAD_CONTENT_LENGTH])
        return 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 400;
    return text.len > 0 && str_to_u64(text, length) && *length <= limit ? 0 : 413;
}
