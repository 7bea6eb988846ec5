/* What /recommend and the catalogue's list ask for, as it comes in: the target of the field tables,
 * and the engine's query made of it. */
#ifndef HTTP_QUESTION_H
#define HTTP_QUESTION_H

#include "engine/recommend.h"
#include "http/fields.h"

#define QUESTION_TEXTS_MAX 100 /* categories; attribute values */

struct filter_input {
    struct str_list categories;
    int64_t price_min, price_max;
    bool in_stock;
    struct attribute_list attributes;
};

struct question {
    int surface;
    struct str_list items, exclude;
    struct str_list session; /* ids of what was clicked, oldest first: before `items` */
    int bought;              /* 1: what the shopper bought may be suggested again */
    struct str user_id;      /* empty: nobody */
    struct filter_input filter;
    uint32_t limit;
    double diversity, novelty; /* novelty below 0: not said */
    bool explain;
};

/* Rows of a table of parameters for a struct filter_input at `at`. */
#define FILTER_PARAMS(at)                                                                          \
    {.name = "category",                                                                           \
     .kind = FIELD_TEXTS,                                                                          \
     .offset = (at) + offsetof(struct filter_input, categories),                                   \
     .max = QUESTION_TEXTS_MAX},                                                                   \
        {.name = "price_min",                                                                      \
         .kind = FIELD_MONEY,                                                                      \
         .offset = (at) + offsetof(struct filter_input, price_min)},                               \
        {.name = "price_max",                                                                      \
         .kind = FIELD_MONEY,                                                                      \
         .offset = (at) + offsetof(struct filter_input, price_max)},                               \
        {.name = "in_stock",                                                                       \
         .kind = FIELD_FLAG,                                                                       \
         .offset = (at) + offsetof(struct filter_input, in_stock)},                                \
    {                                                                                              \
        .name = "attributes", .kind = FIELD_ATTRIBUTES,                                            \
        .offset = (at) + offsetof(struct filter_input, attributes), .max = QUESTION_TEXTS_MAX      \
    }

extern const struct field question_params[], question_json[];

void filter_input_init(struct filter_input *f);
void question_init(struct question *q);
/* The engine's filter; its attribute array is the arena's. False: out of memory. */
bool filter_input_make(const struct filter_input *in, struct arena *arena, struct filter *out);

#endif
