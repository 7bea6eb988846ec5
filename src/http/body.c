/* JSON bodies by jansson, strictly: no duplicate keys, no unknown members, pointers in the errors.
 */
#include "http_internal.h"

#include <stdio.h>
#include <string.h>

json_t *body_object(struct request *r)
{
    json_error_t where;
    if (r->body.len == 0) {
        reply_invalid(r, "", "a JSON object is needed as body");
        return NULL;
    }
    json_t *root = json_loadb(r->body.ptr, r->body.len, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        reply_invalid(r, "", "not valid JSON: line %d, column %d: %.150s", where.line, where.column,
                      where.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        reply_invalid(r, "", "expected a JSON object");
        return NULL;
    }
    return root;
}

bool body_fields(struct request *r, json_t *object, const char *base, struct field *fields,
                 uint32_t count)
{
    const char *key;
    json_t *value;
    char pointer[128];
    json_object_foreach(object, key, value)
    {
        uint32_t i = 0;
        while (i < count && strcmp(fields[i].name, key) != 0)
            i++;
        if (i == count) {
            snprintf(pointer, sizeof pointer, "%s/%.60s", base, key);
            reply_invalid(r, pointer, "%.60s: no such field", key);
            return false;
        }
        fields[i].value = json_is_null(value) ? NULL : value;
    }
    return true;
}

bool body_strings(struct request *r, const struct field *f, const char *base, uint32_t max,
                  const struct str **out, uint32_t *count)
{
    char pointer[128];
    *count = 0;
    if (!f->value)
        return true;
    snprintf(pointer, sizeof pointer, "%s/%s", base, f->name);
    if (!json_is_array(f->value)) {
        reply_invalid(r, pointer, "%s: expected an array of strings", f->name);
        return false;
    }
    size_t n = json_array_size(f->value);
    if (n > max) {
        reply_invalid(r, pointer, "%s: more than %u entries", f->name, max);
        return false;
    }
    struct str *list = arena_alloc(&r->arena, n + 1, sizeof *list);
    for (size_t i = 0; list && i < n; i++) {
        json_t *one = json_array_get(f->value, i);
        if (!json_is_string(one)) {
            snprintf(pointer, sizeof pointer, "%s/%s/%zu", base, f->name, i);
            reply_invalid(r, pointer, "%s: expected a string", f->name);
            return false;
        }
        list[i] =
            arena_str(&r->arena, (struct str){json_string_value(one), json_string_length(one)});
        if (!list[i].ptr)
            list = NULL;
    }
    if (!list) {
        reply_problem(r, 503, "out of memory");
        return false;
    }
    *out = list;
    *count = (uint32_t)n;
    return true;
}
