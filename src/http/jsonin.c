/* The JSON half of the tables. jansson parses the whole body (small by the route's limit), refuses
 * duplicate keys, bad UTF-8 and trailing data; the tables then say which members may be there. The
 * tree is only as deep as the tables look, so nothing here recurses further than they nest. */
#include "http/fields.h"

#include "base/limits.h"
#include "data/events.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

struct decoder {
    struct problems *problems;
    void *into;
};

static void *field_at(const struct decoder *d, const struct field *f)
{
    return (char *)d->into + f->offset;
}

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static void *room(struct problems *p, size_t count, size_t size)
{
    void *memory = arena_alloc(p->arena, count, size);
    if (!memory)
        p->no_memory = true;
    return memory;
}

static struct str copy(struct problems *p, const json_t *v)
{
    struct str s = arena_str(p->arena, (struct str){json_string_value(v), json_string_length(v)});
    if (!s.ptr)
        p->no_memory = true;
    return s;
}

static void expected(struct decoder *d, const struct place *place, const char *what,
                     const json_t *v)
{
    problems_add(d->problems, place, "expected %s, got %s", what, type_name(v));
}

static void take_count(struct decoder *d, const struct field *f, const struct place *place,
                       const json_t *v)
{
    double value = (double)json_integer_value(v);
    if (!json_is_integer(v))
        expected(d, place, "a whole number", v);
    else if (value < f->min || value > f->max)
        problems_add(d->problems, place, "expected a whole number from %.0f to %.0f, got %lld",
                     f->min, f->max, (long long)json_integer_value(v));
    else
        *(uint32_t *)field_at(d, f) = (uint32_t)json_integer_value(v);
}

static void take_key(struct decoder *d, const struct field *f, const struct place *place,
                     const json_t *v)
{
    if (json_is_integer(v) && json_integer_value(v) >= 1)
        *(int64_t *)field_at(d, f) = json_integer_value(v);
    else
        expected(d, place, "a whole number from 1", v);
}

static void take_number(struct decoder *d, const struct field *f, const struct place *place,
                        const json_t *v)
{
    double value = json_number_value(v);
    if (!json_is_number(v))
        expected(d, place, "a number", v);
    else if (value < f->min || value > f->max)
        problems_add(d->problems, place, "expected a number from %g to %g, got %g", f->min, f->max,
                     value);
    else
        *(double *)field_at(d, f) = value;
}

static void take_money(struct decoder *d, const struct field *f, const struct place *place,
                       const json_t *v)
{
    double value = json_number_value(v);
    if (!json_is_number(v))
        expected(d, place, "an amount", v);
    else if (value < 0 || value > 9e13)
        problems_add(d->problems, place, "expected an amount from 0, got %g", value);
    else
        *(int64_t *)field_at(d, f) = llround(value * 100);
}

static void take_text(struct decoder *d, const struct field *f, const struct place *place,
                      const json_t *v)
{
    if (!json_is_string(v)) {
        expected(d, place, "a string", v);
        return;
    }
    struct str text = copy(d->problems, v);
    if (!text.ptr || (f->kind == FIELD_ID && !field_check_id(text, place, d->problems)))
        return;
    if (f->kind == FIELD_TEXT && (double)text.len > f->max)
        problems_add(d->problems, place, "longer than %.0f bytes", f->max);
    else
        *(struct str *)field_at(d, f) = text;
}

static void take_choice(struct decoder *d, const struct field *f, const struct place *place,
                        const json_t *v)
{
    if (!json_is_string(v)) {
        expected(d, place, "a string", v);
        return;
    }
    struct str text = {json_string_value(v), json_string_length(v)};
    int value = f->choice(text);
    if (value >= 0)
        *(int *)field_at(d, f) = value;
    else
        problems_add(d->problems, place, "expected one of %s, got '%.*s'", f->note, STR_ARG(text));
}

/* The strings of an array into *out; false after a problem. */
static bool take_strings(struct decoder *d, const struct field *f, const struct place *place,
                         const json_t *v, struct str_list *out)
{
    size_t count = json_array_size(v);
    if (!json_is_array(v)) {
        expected(d, place, "an array of strings", v);
        return false;
    }
    if ((double)count > f->max) {
        problems_add(d->problems, place, "expected at most %.0f entries, got %zu", f->max, count);
        return false;
    }
    struct str *at = room(d->problems, count, sizeof *at);
    bool good = at != NULL;
    for (size_t i = 0; at && i < count; i++) {
        struct place here = {.up = place, .index = i};
        const json_t *entry = json_array_get(v, i);
        at[i] = STR("");
        if (!json_is_string(entry)) {
            expected(d, &here, "a string", entry);
            good = false;
            continue;
        }
        at[i] = copy(d->problems, entry);
        if (f->kind == FIELD_IDS)
            good &= field_check_id(at[i], &here, d->problems);
        else if (at[i].len == 0)
            problems_add(d->problems, &here, "the text is empty");
        good &= at[i].ptr && at[i].len;
    }
    *out = (struct str_list){at, (uint32_t)count};
    return good;
}

static void take_list(struct decoder *d, const struct field *f, const struct place *place,
                      const json_t *v)
{
    struct str_list list;
    if (take_strings(d, f, place, v, &list))
        *(struct str_list *)field_at(d, f) = list;
}

/* {"brand":["X","Y"],"colour":"red"} */
static void take_attributes(struct decoder *d, const struct field *f, const struct place *place,
                            json_t *v)
{
    if (!json_is_object(v) || (double)json_object_size(v) > f->max) {
        problems_add(d->problems, place, "expected an object of at most %.0f members", f->max);
        return;
    }
    struct attribute_list list = {.at = room(d->problems, json_object_size(v), sizeof *list.at)};
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        struct place here = {.up = place, .name = str_of(key)};
        struct attribute *a = list.at ? &list.at[list.count] : NULL;
        if (!a)
            return;
        a->key = arena_str(d->problems->arena, str_of(key));
        if (json_is_array(member)) {
            if (!take_strings(d, f, &here, member, &a->values))
                return;
        } else if (json_is_string(member)) {
            struct str *one = room(d->problems, 1, sizeof *one);
            if (!one)
                return;
            *one = copy(d->problems, member);
            a->values = (struct str_list){one, 1};
        } else {
            expected(d, &here, "a string or an array of strings", member);
            return;
        }
        list.count++;
    }
    *(struct attribute_list *)field_at(d, f) = list;
}

static void take_object(struct decoder *d, const struct field *table, const struct place *up,
                        json_t *object);

/* One click; false after a problem. *action is a view unless said. */
static bool take_click(struct decoder *d, const struct place *place, json_t *v, struct str *item,
                       int *action)
{
    struct click_input {
        struct str item_id;
        int action;
    } click = {.action = ACTION_VIEW};
    static const struct field table[] = {
        {.name = "item_id",
         .kind = FIELD_ID,
         .required = true,
         .offset = offsetof(struct click_input, item_id)},
        {.name = "event",
         .kind = FIELD_CHOICE,
         .offset = offsetof(struct click_input, action),
         .choice = action_parse,
         .note = "view, cart, uncart, wish, purchase"},
        {.name = NULL},
    };
    struct decoder inner = {.problems = d->problems, .into = &click};
    if (!json_is_object(v)) {
        expected(d, place, "an object with item_id and event", v);
        return false;
    }
    take_object(&inner, table, place, v);
    *item = click.item_id;
    *action = click.action;
    return click.item_id.len > 0;
}

/* What was taken out of the cart again does not speak for others. */
static void take_clicks(struct decoder *d, const struct field *f, const struct place *place,
                        const json_t *v)
{
    size_t count = json_array_size(v);
    if (!json_is_array(v)) {
        expected(d, place, "an array of clicks", v);
        return;
    }
    if ((double)count > f->max) {
        problems_add(d->problems, place, "expected at most %.0f entries, got %zu", f->max, count);
        return;
    }
    struct str *at = room(d->problems, count, sizeof *at);
    struct str_list list = {.at = at};
    for (size_t i = 0; at && i < count; i++) {
        struct place here = {.up = place, .index = i};
        struct str item;
        int action;
        if (!take_click(d, &here, json_array_get(v, i), &item, &action))
            return;
        uint32_t kept = 0;
        for (uint32_t x = 0; x < list.count && action == ACTION_UNCART; x++)
            if (!str_eq(at[x], item))
                at[kept++] = at[x];
        if (action == ACTION_UNCART)
            list.count = kept;
        else
            at[list.count++] = item;
    }
    *(struct str_list *)field_at(d, f) = list;
}

static void take(struct decoder *d, const struct field *f, const struct place *place, json_t *v)
{
    switch (f->kind) {
    case FIELD_FLAG:
        if (json_is_boolean(v))
            *(bool *)field_at(d, f) = json_is_true(v);
        else
            expected(d, place, "true or false", v);
        break;
    case FIELD_COUNT:
        take_count(d, f, place, v);
        break;
    case FIELD_KEY:
        take_key(d, f, place, v);
        break;
    case FIELD_NUMBER:
        take_number(d, f, place, v);
        break;
    case FIELD_MONEY:
        take_money(d, f, place, v);
        break;
    case FIELD_TEXT:
    case FIELD_ID:
        take_text(d, f, place, v);
        break;
    case FIELD_IDS:
    case FIELD_TEXTS:
        take_list(d, f, place, v);
        break;
    case FIELD_CHOICE:
        take_choice(d, f, place, v);
        break;
    case FIELD_ATTRIBUTES:
        take_attributes(d, f, place, v);
        break;
    case FIELD_CLICKS:
        take_clicks(d, f, place, v);
        break;
    case FIELD_OBJECT:
        if (json_is_object(v))
            take_object(d, f->inner, place, v);
        else
            expected(d, place, "an object", v);
        break;
    case FIELD_REFUSED:
        problems_add(d->problems, place, "%s", f->note);
        break;
    }
}

static const struct field *find(const struct field *table, const char *name)
{
    for (const struct field *f = table; f->name; f++)
        if (strcmp(name, f->name) == 0)
            return f;
    return NULL;
}

static void take_object(struct decoder *d, const struct field *table, const struct place *up,
                        json_t *object)
{
    const char *key;
    json_t *member;
    json_object_foreach(object, key, member)
    {
        struct place here = {.up = up, .name = str_of(key)};
        const struct field *f = find(table, key);
        if (f)
            take(d, f, &here, member);
        else
            problems_add(d->problems, &here, "unknown field");
    }
    for (const struct field *f = table; f->name; f++) {
        struct place here = {.up = up, .name = str_of(f->name)};
        if (f->required && !json_object_get(object, f->name))
            problems_add(d->problems, &here, "missing");
    }
}

int fields_from_json(const struct field *table, struct str body, void *into,
                     struct problems *problems, struct error *err)
{
    json_error_t why;
    struct decoder d = {.problems = problems, .into = into};
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        if (json_error_code(&why) == json_error_out_of_memory)
            return error_set(err, ERR_NOMEM, "body: out of memory");
        return error_set(err, ERR_INVALID, "body: line %d, column %d: %s", why.line, why.column,
                         why.text);
    }
    int rc = 0;
    if (json_is_object(root))
        take_object(&d, table, NULL, root);
    else
        rc = error_set(err, ERR_INVALID, "body: expected an object, got %s", type_name(root));
    json_decref(root);
    return rc;
}
