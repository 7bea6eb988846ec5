/* One pointer walks the text; every read is behind a comparison with the end. The table says which
 * bytes end the plain part of a string. */
#include "ingest/jsonscan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void jscan_init(struct jscan *s, struct str text, struct arena *arena)
{
    s->start = s->at = text.ptr;
    s->end = text.ptr + text.len;
    s->arena = arena;
    s->no_memory = false;
    s->reason[0] = '\0';
}

bool jscan_fail(struct jscan *s, const char *format, ...)
{
    if (s->reason[0])
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->reason, sizeof s->reason, format, arguments);
    va_end(arguments);
    return false;
}

static bool __attribute__((cold)) unexpected(struct jscan *s, const char *expected)
{
    unsigned long long offset = (unsigned long long)(s->at - s->start);
    if (s->at == s->end)
        return jscan_fail(s, "not JSON: ends where %s should be", expected);
    unsigned char c = (unsigned char)*s->at;
    if (c <= 0x20 || c >= 0x7f)
        return jscan_fail(s, "not JSON: expected %s at byte %llu, got 0x%02x", expected, offset, c);
    return jscan_fail(s, "not JSON: expected %s at byte %llu, got '%c'", expected, offset, c);
}

static void skip_blanks(struct jscan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

static const unsigned char types[256] = {
    ['{'] = JSCAN_OBJECT, ['['] = JSCAN_ARRAY,  ['"'] = JSCAN_STRING, ['-'] = JSCAN_NUMBER,
    ['0'] = JSCAN_NUMBER, ['1'] = JSCAN_NUMBER, ['2'] = JSCAN_NUMBER, ['3'] = JSCAN_NUMBER,
    ['4'] = JSCAN_NUMBER, ['5'] = JSCAN_NUMBER, ['6'] = JSCAN_NUMBER, ['7'] = JSCAN_NUMBER,
    ['8'] = JSCAN_NUMBER, ['9'] = JSCAN_NUMBER, ['t'] = JSCAN_BOOL,   ['f'] = JSCAN_BOOL,
    ['n'] = JSCAN_NULL,
};

enum jscan_type jscan_peek(struct jscan *s)
{
    skip_blanks(s);
    return s->at < s->end ? (enum jscan_type)types[(unsigned char)*s->at] : JSCAN_BAD;
}

const char *jscan_type_name(enum jscan_type type)
{
    static const char *const names[] = {"no value", "an object",     "an array", "a string",
                                        "a number", "true or false", "null"};
    assert(type < sizeof names / sizeof names[0]);
    return names[type];
}

/* Bytes that end the plain part of a string: '"', '\\' and controls. */
static const bool special[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,         1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['"'] = 1, ['\\'] = 1,
};

static const char *plain_end(const char *at, const char *end)
{
    while (at < end && !special[(unsigned char)*at])
        at++;
    return at;
}

static int hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i], lower = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9'           ? c - '0'
                    : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                   : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* At the 'u' of \uXXXX; a high surrogate takes the \uXXXX of the low one with it. */
static bool unicode_escape(struct jscan *s, char **to)
{
    int code = hex4(s->at + 1, s->end);
    if (code < 0)
        return jscan_fail(s, "not JSON: \\u needs four hex digits");
    s->at += 5;
    if (code == 0)
        return jscan_fail(s, "a string holds \\u0000");
    if (code >= 0xd800 && code < 0xe000) {
        int low = s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u'
                      ? hex4(s->at + 2, s->end)
                      : -1;
        if (code >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
            return jscan_fail(s, "a string holds half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        s->at += 6;
    }
    *to = put_utf8(*to, (unsigned)code);
    return true;
}

/* At the byte behind the backslash. */
static bool escape(struct jscan *s, char **to)
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    if (s->at == s->end)
        return unexpected(s, "an escape");
    if (*s->at == 'u')
        return unicode_escape(s, to);
    char c = plain[(unsigned char)*s->at];
    if (!c)
        return unexpected(s, "an escape");
    *(*to)++ = c;
    s->at++;
    return true;
}

/* From the first backslash on. Decoded text is never longer than its source. */
static bool decode(struct jscan *s, const char *from, struct str *out)
{
    const char *close = s->at;
    while (close < s->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= s->end)
        return jscan_fail(s, "not JSON: a string is not closed");
    char *text = arena_alloc(s->arena, (size_t)(close - from), 1), *to = text;
    if (!text) {
        s->no_memory = true;
        return jscan_fail(s, "out of memory");
    }
    for (;;) {
        size_t plain = (size_t)(s->at - from);
        memcpy(to, from, plain);
        to += plain;
        if (*s->at == '"')
            break;
        if (*s->at != '\\')
            return unexpected(s, "no control character");
        s->at++;
        if (!escape(s, &to))
            return false;
        from = s->at;
        s->at = plain_end(s->at, s->end);
    }
    s->at++;
    *out = (struct str){text, (size_t)(to - text)};
    return true;
}

bool jscan_string(struct jscan *s, struct str *out)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != '"')
        return unexpected(s, "a string");
    const char *from = ++s->at;
    s->at = plain_end(from, s->end);
    if (s->at == s->end)
        return jscan_fail(s, "not JSON: a string is not closed");
    if (*s->at == '\\')
        return decode(s, from, out);
    if (*s->at != '"')
        return unexpected(s, "no control character");
    *out = (struct str){from, (size_t)(s->at - from)};
    s->at++;
    return true;
}

static bool digits(struct jscan *s)
{
    const char *from = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > from || unexpected(s, "a digit");
}

bool jscan_number(struct jscan *s, struct str *out)
{
    skip_blanks(s);
    const char *from = s->at;
    if (s->at < s->end && *s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (!digits(s))
            return false;
    }
    *out = (struct str){from, (size_t)(s->at - from)};
    return true;
}

static bool word(struct jscan *s, struct str expected)
{
    skip_blanks(s);
    if (!str_starts((struct str){s->at, (size_t)(s->end - s->at)}, expected))
        return false;
    s->at += expected.len;
    return true;
}

bool jscan_bool(struct jscan *s, bool *out)
{
    bool yes = word(s, STR("true"));
    if (!yes && !word(s, STR("false")))
        return unexpected(s, "true or false");
    *out = yes;
    return true;
}

bool jscan_null(struct jscan *s)
{
    return word(s, STR("null")) || unexpected(s, "null");
}

bool jscan_open(struct jscan *s, char bracket)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != bracket)
        return unexpected(s, bracket == '{' ? "an object" : "an array");
    s->at++;
    return true;
}

bool jscan_more(struct jscan *s, char close, bool first)
{
    skip_blanks(s);
    if (s->at < s->end && *s->at == close) {
        s->at++;
        return false;
    }
    if (first)
        return s->at < s->end || unexpected(s, close == '}' ? "a key" : "a value");
    if (s->at == s->end || *s->at != ',')
        return unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
    s->at++;
    return true;
}

bool jscan_key(struct jscan *s, struct str *out)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != '"')
        return unexpected(s, "a key");
    if (!jscan_string(s, out))
        return false;
    skip_blanks(s);
    if (s->at == s->end || *s->at != ':')
        return unexpected(s, "':'");
    s->at++;
    return true;
}

bool jscan_end(struct jscan *s)
{
    skip_blanks(s);
    return s->at == s->end || unexpected(s, "nothing after the value");
}
