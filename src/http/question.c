/* Two tables, one struct. */
#include "http/question.h"

#include "base/limits.h"

#define AT(member)    offsetof(struct question, member)
#define DEFAULT_LIMIT 10

static int bought_parse(struct str text)
{
    return str_eq(text, STR("exclude")) ? 0 : str_eq(text, STR("include")) ? 1 : -1;
}

/* clang-format off: a table reads best as one */
/* What both forms have. */
#define COMMON                                                                                     \
    {.name = "items", .kind = FIELD_IDS, .offset = AT(items), .max = LIMIT_QUERY_ITEMS},           \
        {.name = "surface",                                                                        \
         .kind = FIELD_CHOICE,                                                                     \
         .offset = AT(surface),                                                                    \
         .choice = surface_parse,                                                                  \
         .note = "basket, similar, personal, session, rebuy, trending, popular"},                  \
        {.name = "limit",                                                                          \
         .kind = FIELD_COUNT,                                                                      \
         .offset = AT(limit),                                                                      \
         .min = 1,                                                                                 \
         .max = LIMIT_ANSWER_ITEMS},                                                               \
        {.name = "exclude", .kind = FIELD_IDS, .offset = AT(exclude), .max = LIMIT_QUERY_ITEMS},   \
        {.name = "explain", .kind = FIELD_FLAG, .offset = AT(explain)},                            \
        {.name = "user_id", .kind = FIELD_ID, .offset = AT(user_id)},                              \
        {.name = "bought",                                                                         \
         .kind = FIELD_CHOICE,                                                                     \
         .offset = AT(bought),                                                                     \
         .choice = bought_parse,                                                                   \
         .note = "exclude, include"},                                                              \
        {.name = "diversity", .kind = FIELD_NUMBER, .offset = AT(diversity), .max = 1},            \
    {                                                                                              \
        .name = "novelty", .kind = FIELD_NUMBER, .offset = AT(novelty), .max = 1                   \
    }

const struct field question_params[] = {
    COMMON,
    FILTER_PARAMS(AT(filter)),
    {.name = NULL},
};

static const struct field price_json[] = {
    {.name = "min", .kind = FIELD_MONEY, .offset = AT(filter.price_min)},
    {.name = "max", .kind = FIELD_MONEY, .offset = AT(filter.price_max)},
    {.name = NULL},
};

static const struct field filter_json[] = {
    {.name = "category",
     .kind = FIELD_TEXTS,
     .offset = AT(filter.categories),
     .max = QUESTION_TEXTS_MAX},
    {.name = "price", .kind = FIELD_OBJECT, .inner = price_json},
    {.name = "in_stock", .kind = FIELD_FLAG, .offset = AT(filter.in_stock)},
    {.name = "attributes",
     .kind = FIELD_ATTRIBUTES,
     .offset = AT(filter.attributes),
     .max = QUESTION_TEXTS_MAX},
    {.name = NULL},
};

const struct field question_json[] = {
    COMMON,
    {.name = "filter", .kind = FIELD_OBJECT, .inner = filter_json},
    {.name = "session", .kind = FIELD_CLICKS, .offset = AT(session), .max = LIMIT_QUERY_ITEMS},
    {.name = NULL},
};
/* clang-format on */

void filter_input_init(struct filter_input *f)
{
    *f = (struct filter_input){.price_min = PRICE_NONE, .price_max = PRICE_NONE};
}

void question_init(struct question *q)
{
    *q = (struct question){
        .surface = SURFACE_BASKET, .limit = DEFAULT_LIMIT, .explain = true, .novelty = -1};
    filter_input_init(&q->filter);
}

bool filter_input_make(const struct filter_input *in, struct arena *arena, struct filter *out)
{
    struct attribute_filter *attributes = NULL;
    uint32_t count = in->attributes.count;
    if (count && !(attributes = arena_alloc(arena, count, sizeof *attributes)))
        return false;
    for (uint32_t i = 0; i < count; i++)
        attributes[i] = (struct attribute_filter){.key = in->attributes.at[i].key,
                                                  .values = in->attributes.at[i].values.at,
                                                  .value_count = in->attributes.at[i].values.count};
    *out = (struct filter){.categories = in->categories.at,
                           .category_count = in->categories.count,
                           .price_min = in->price_min,
                           .price_max = in->price_max,
                           .in_stock = in->in_stock,
                           .attributes = attributes,
                           .attribute_count = count};
    return true;
}
