/* What goes in is checked token by token and written again, so what is stored has one form: no
 * blanks, escapes only where JSON needs them, numbers as they were. */
#include "ingest/itemjson.h"

#include <assert.h>

#include "base/limits.h"
#include "ingest/clean.h"

static const char *category_add(struct buf *out, struct str name, unsigned depth)
{
    if (depth >= LIMIT_CATEGORY_DEPTH)
        return "has more than 16 levels";
    if (name.len == 0)
        return "has an empty name";
    if (name.len > LIMIT_CATEGORY_BYTES)
        return "has a name longer than 256 bytes";
    buf_char(out, depth == 0 ? '[' : ',');
    buf_json_str(out, name);
    return NULL;
}

_Static_assert(LIMIT_CATEGORY_DEPTH == 16 && LIMIT_CATEGORY_BYTES == 256, "named in messages");

const char *category_from_path(struct str path, struct buf *out)
{
    unsigned depth = 0;
    do {
        const char *why = category_add(out, str_trim(str_cut(&path, '>')), depth++);
        if (why)
            return why;
    } while (path.ptr);
    buf_char(out, ']');
    return NULL;
}

bool category_scan(struct jscan *s, struct buf *out)
{
    unsigned depth = 0;
    if (!jscan_open(s, '['))
        return false;
    for (; jscan_more(s, ']', depth == 0); depth++) {
        struct str name;
        enum jscan_type type = jscan_peek(s);
        if (type != JSCAN_STRING)
            return jscan_fail(s, "expected an array of strings, got %s in it",
                              jscan_type_name(type));
        if (!jscan_string(s, &name))
            return false;
        const char *why = category_add(out, name, depth);
        if (why)
            return jscan_fail(s, "%s", why);
    }
    if (depth > 0)
        buf_char(out, ']');
    return !s->reason[0];
}

static bool scalar(struct jscan *s, struct str key, struct buf *out)
{
    struct str text;
    bool yes;
    struct excerpt room;
    enum jscan_type type = jscan_peek(s);
    switch (type) {
    case JSCAN_STRING:
        if (!jscan_string(s, &text))
            return false;
        buf_json_str(out, text);
        return true;
    case JSCAN_NUMBER:
        if (!jscan_number(s, &text))
            return false;
        buf_str(out, text);
        return true;
    case JSCAN_BOOL:
        if (!jscan_bool(s, &yes))
            return false;
        buf_text(out, yes ? "true" : "false");
        return true;
    case JSCAN_NULL:
        buf_text(out, "null");
        return jscan_null(s);
    default:
        return jscan_fail(s, "'%s': expected a scalar or an array of scalars, got %s",
                          excerpt(key, &room), jscan_type_name(type));
    }
}

static bool attribute_value(struct jscan *s, struct str key, struct buf *out)
{
    if (jscan_peek(s) != JSCAN_ARRAY)
        return scalar(s, key, out);
    if (!jscan_open(s, '['))
        return false;
    buf_char(out, '[');
    for (bool first = true; jscan_more(s, ']', first); first = false) {
        if (!first)
            buf_char(out, ',');
        if (!scalar(s, key, out))
            return false;
        if (out->len > LIMIT_ATTRIBUTES_BYTES)
            break; /* the caller refuses it */
    }
    buf_char(out, ']');
    return !s->reason[0];
}

/* Takes a key that is new among the `count` before it. */
static bool attribute_key(struct jscan *s, struct str *keys, size_t count)
{
    struct excerpt room;
    struct str *key = &keys[count];
    if (!jscan_key(s, key))
        return false;
    if (key->len == 0 || key->len > LIMIT_ID_BYTES)
        return jscan_fail(s, "'%s': a key has 1 to %d bytes", excerpt(*key, &room), LIMIT_ID_BYTES);
    for (size_t i = 0; i < count; i++)
        if (str_eq(keys[i], *key))
            return jscan_fail(s, "'%s' is given twice", excerpt(*key, &room));
    return true;
}

bool attributes_scan(struct jscan *s, struct buf *out)
{
    struct str keys[LIMIT_ATTRIBUTES];
    size_t count = 0;
    assert(out->len == 0);
    if (!jscan_open(s, '{'))
        return false;
    for (; jscan_more(s, '}', count == 0); count++) {
        if (count == LIMIT_ATTRIBUTES)
            return jscan_fail(s, "more than %d keys", LIMIT_ATTRIBUTES);
        if (!attribute_key(s, keys, count))
            return false;
        buf_char(out, count == 0 ? '{' : ',');
        buf_json_str(out, keys[count]);
        buf_char(out, ':');
        if (!attribute_value(s, keys[count], out))
            return false;
        if (out->len >= LIMIT_ATTRIBUTES_BYTES) /* the '}' comes yet */
            return jscan_fail(s, "longer than %d bytes as JSON", LIMIT_ATTRIBUTES_BYTES);
    }
    if (count > 0)
        buf_char(out, '}');
    return !s->reason[0];
}
