/* Parameters are decoded first and split into lists afterwards, because most clients encode the
 * commas of a list; ids with a comma in them need the POST form. */
#include "http/target.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char out_of_memory[] = "out of memory";

/* Decodes into the arena. NULL, or why not. */
static const char *decode(struct str s, bool plus, struct arena *arena, struct str *out)
{
    char *text = arena_alloc(arena, s.len + 1, 1);
    if (!text)
        return out_of_memory;
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex(s.ptr[i + 1]) : -1;
            int low = i + 2 < s.len ? hex(s.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return "has a % without two hex digits";
            c = (char)(high << 4 | low);
            i += 2;
        }
        text[n++] = plus && c == '+' && s.ptr[i] == '+' ? ' ' : c;
    }
    text[n] = '\0';
    *out = (struct str){text, n};
    return utf8_valid(*out) ? NULL : "is not UTF-8";
}

static int fail(const char *what, const char *why, struct error *err)
{
    if (why == out_of_memory)
        return error_set(err, ERR_NOMEM, "request: out of memory");
    return error_set(err, ERR_INVALID, "%s %s", what, why);
}

static int parse_param(struct str text, struct arena *arena, struct param *out, struct error *err)
{
    struct str value = text;
    struct str name = str_cut(&value, '=');
    *out = (struct param){.value = STR("")};
    const char *why = decode(name, true, arena, &out->name);
    if (why)
        return fail("a parameter's name", why, err);
    out->fault = value.ptr ? decode(value, true, arena, &out->value) : NULL;
    if (!out->fault)
        return 0;
    out->value = STR("");
    return out->fault == out_of_memory ? fail("", out->fault, err) : 0;
}

int target_parse(struct str target, struct arena *arena, struct str *path, struct params *params,
                 struct error *err)
{
    struct str query = target;
    struct str raw = str_cut(&query, '?');
    *params = (struct params){.at = NULL};
    const char *why = decode(raw, false, arena, path);
    if (why)
        return fail("the path", why, err);
    if (query.len == 0)
        return 0;
    size_t most = 1;
    for (size_t i = 0; i < query.len; i++)
        most += query.ptr[i] == '&';
    if (most > TARGET_PARAMS_MAX)
        return error_set(err, ERR_INVALID, "more than %d query parameters", TARGET_PARAMS_MAX);
    params->at = arena_alloc(arena, most, sizeof *params->at);
    if (!params->at)
        return error_set(err, ERR_NOMEM, "request: out of memory");
    int rc = 0;
    while (query.ptr && rc == 0) {
        struct str part = str_cut(&query, '&');
        if (part.len)
            rc = parse_param(part, arena, &params->at[params->count++], err);
    }
    return rc;
}
