/* What a client asks of /recommend: from query parameters and from a JSON body into one struct
 * query. */
#include "http_internal.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>

static void query_defaults(struct query *q)
{
    *q = (struct query){.surface = SURFACE_BASKET,
                        .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE},
                        .limit = 10,
                        .explain = true,
                        .now_ms = clock_wall_ms()};
}

static bool take_surface(struct request *r, const char *where, struct str name, struct query *q)
{
    int kind = surface_parse(name);
    if (kind < 0) {
        reply_invalid(r, where, "surface: expected basket, similar, trending or popular");
        return false;
    }
    q->surface = (enum surface)kind;
    return true;
}

/* "brand:X,brand:Y,colour:red": values of one key are alternatives, keys must all hold. */
static bool take_pairs(struct request *r, const struct param *p, struct filter *f)
{
    const struct str *pairs;
    uint32_t count;
    if (!param_ids(r, p, 64, &pairs, &count) || count == 0)
        return !r->response;
    struct attribute_filter *list = arena_alloc(&r->arena, count, sizeof *list);
    struct str *values = arena_alloc(&r->arena, (size_t)count * count, sizeof *values);
    if (!list || !values) {
        reply_problem(r, 503, "out of memory");
        return false;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct str value = pairs[i], key = str_cut(&value, ':');
        if (key.len == 0 || !value.ptr) {
            reply_invalid(r, p->name, "%s: expected key:value", p->name);
            return false;
        }
        uint32_t at = 0;
        while (at < used && !str_eq(list[at].key, key))
            at++;
        if (at == used)
            list[used++] = (struct attribute_filter){key, values + (size_t)at * count, 0};
        values[(size_t)at * count + list[at].value_count++] = value;
    }
    f->attributes = list;
    f->attribute_count = used;
    return true;
}

bool question_from_params(struct request *r, struct query *q)
{
    enum {
        ITEMS,
        SURFACE,
        LIMIT,
        EXCLUDE,
        CATEGORY,
        PRICE_MIN,
        PRICE_MAX,
        IN_STOCK,
        ATTRIBUTES,
        EXPLAIN,
        COUNT
    };
    struct param p[COUNT] = {{.name = "items"},     {.name = "surface"},  {.name = "limit"},
                             {.name = "exclude"},   {.name = "category"}, {.name = "price_min"},
                             {.name = "price_max"}, {.name = "in_stock"}, {.name = "attributes"},
                             {.name = "explain"}};
    query_defaults(q);
    return params_read(r, p, COUNT) &&
           param_ids(r, &p[ITEMS], LIMIT_QUERY_ITEMS, &q->items, &q->item_count) &&
           (!p[SURFACE].value.ptr || take_surface(r, "surface", p[SURFACE].value, q)) &&
           param_u32(r, &p[LIMIT], 1, LIMIT_ANSWER_ITEMS, &q->limit) &&
           param_ids(r, &p[EXCLUDE], LIMIT_QUERY_ITEMS, &q->exclude, &q->exclude_count) &&
           param_ids(r, &p[CATEGORY], 64, &q->filter.categories, &q->filter.category_count) &&
           param_price(r, &p[PRICE_MIN], &q->filter.price_min) &&
           param_price(r, &p[PRICE_MAX], &q->filter.price_max) &&
           param_bool(r, &p[IN_STOCK], &q->filter.in_stock) &&
           take_pairs(r, &p[ATTRIBUTES], &q->filter) && param_bool(r, &p[EXPLAIN], &q->explain);
}

/* ---- the body ---- */

static bool body_bool(struct request *r, const struct field *f, const char *where, bool *out)
{
    if (f->value && !json_is_boolean(f->value)) {
        reply_invalid(r, where, "%s: expected true or false", f->name);
        return false;
    }
    if (f->value)
        *out = json_is_true(f->value);
    return true;
}

static bool body_price(struct request *r, const struct field *f, const char *where, int64_t *out)
{
    if (!f->value)
        return true;
    double value = json_is_number(f->value) ? json_number_value(f->value) : -1;
    if (!(value >= 0 && value <= 9e12)) {
        reply_invalid(r, where, "%s: expected a price such as 12.50", f->name);
        return false;
    }
    *out = llround(value * 100);
    return true;
}

static bool body_ids(struct request *r, const struct field *f, const struct str **out,
                     uint32_t *count)
{
    char pointer[64];
    if (!body_strings(r, f, "", LIMIT_QUERY_ITEMS, out, count))
        return false;
    for (uint32_t i = 0; i < *count; i++) {
        const char *problem = id_problem((*out)[i]);
        if (problem) {
            snprintf(pointer, sizeof pointer, "/%s/%u", f->name, i);
            reply_invalid(r, pointer, "%s: id %s", f->name, problem);
            return false;
        }
    }
    return true;
}

static bool body_attributes(struct request *r, json_t *object, struct filter *f)
{
    const char *key;
    json_t *value;
    size_t count = json_is_object(object) ? json_object_size(object) : 0;
    if (!object)
        return true;
    struct attribute_filter *list = arena_alloc(&r->arena, count + 1, sizeof *list);
    if (count == 0 || count > 64 || !list) {
        reply_invalid(r, "/filter/attributes",
                      "attributes: expected an object of arrays of strings");
        return false;
    }
    f->attributes = list;
    json_object_foreach(object, key, value)
    {
        struct attribute_filter *a = &list[f->attribute_count++];
        struct field one = {key, value};
        a->key = arena_str(&r->arena, str_of(key));
        if (!body_strings(r, &one, "/filter/attributes", 64, &a->values, &a->value_count))
            return false;
    }
    return true;
}

static bool body_filter(struct request *r, json_t *object, struct filter *f)
{
    struct field top[] = {
        {.name = "category"}, {.name = "price"}, {.name = "in_stock"}, {.name = "attributes"}};
    struct field price[] = {{.name = "min"}, {.name = "max"}};
    if (!object)
        return true;
    if (!json_is_object(object)) {
        reply_invalid(r, "/filter", "filter: expected an object");
        return false;
    }
    if (!body_fields(r, object, "/filter", top, 4) ||
        !body_strings(r, &top[0], "/filter", 64, &f->categories, &f->category_count) ||
        !body_bool(r, &top[2], "/filter/in_stock", &f->in_stock) ||
        !body_attributes(r, top[3].value, f))
        return false;
    if (!top[1].value)
        return true;
    if (!json_is_object(top[1].value)) {
        reply_invalid(r, "/filter/price", "price: expected an object with min, max or both");
        return false;
    }
    return body_fields(r, top[1].value, "/filter/price", price, 2) &&
           body_price(r, &price[0], "/filter/price/min", &f->price_min) &&
           body_price(r, &price[1], "/filter/price/max", &f->price_max);
}

static bool body_limit(struct request *r, json_t *value, uint32_t *limit)
{
    if (!value)
        return true;
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : 0;
    if (n < 1 || n > LIMIT_ANSWER_ITEMS) {
        reply_invalid(r, "/limit", "limit: expected a whole number between 1 and %d",
                      LIMIT_ANSWER_ITEMS);
        return false;
    }
    *limit = (uint32_t)n;
    return true;
}

bool question_from_body(struct request *r, struct query *q)
{
    struct field f[] = {{.name = "items"},   {.name = "surface"}, {.name = "limit"},
                        {.name = "exclude"}, {.name = "filter"},  {.name = "explain"}};
    query_defaults(q);
    json_t *body = body_object(r);
    if (!body)
        return false;
    bool good = body_fields(r, body, "", f, 6) && body_ids(r, &f[0], &q->items, &q->item_count) &&
                body_limit(r, f[2].value, &q->limit) &&
                body_ids(r, &f[3], &q->exclude, &q->exclude_count) &&
                body_filter(r, f[4].value, &q->filter) &&
                body_bool(r, &f[5], "/explain", &q->explain);
    if (good && f[1].value) {
        const char *name = json_string_value(f[1].value);
        good = take_surface(r, "/surface", str_of(name), q);
    }
    json_decref(body);
    return good;
}
