/* Strict input by table: a table names the fields of a request, their types and bounds and where
 * each goes in a struct. The same struct is filled from query parameters (one table) and from a
 * JSON body (another), so that GET and POST cannot differ in meaning. Unknown and repeated fields
 * are problems. Fields that are not given leave the struct as it was. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/error.h"
#include "http/problem.h"
#include "http/target.h"

#include <stddef.h>

enum field_kind {
    FIELD_FLAG,       /* bool */
    FIELD_COUNT,      /* uint32_t in [min, max] */
    FIELD_KEY,        /* int64_t >= 1: the number of a job or a model */
    FIELD_NUMBER,     /* double in [min, max] */
    FIELD_MONEY,      /* int64_t hundredths >= 0 */
    FIELD_TEXT,       /* struct str, at most max bytes */
    FIELD_ID,         /* struct str, an external id */
    FIELD_IDS,        /* struct str_list of at most max external ids */
    FIELD_TEXTS,      /* struct str_list of at most max texts, none empty */
    FIELD_CHOICE,     /* int, what choice() makes of the text; `note` lists them */
    FIELD_ATTRIBUTES, /* struct attribute_list, at most max values in all */
    FIELD_CLICKS, /* JSON: an array of at most max {"item_id","event"}, into a struct str_list of
                     the ids; without what was taken out of the cart */
    FIELD_OBJECT, /* JSON: an object of the fields `inner`, into the same struct */
    FIELD_REFUSED /* known, but not served; `note` says why */
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_kind kind;
    bool required;
    size_t offset;
    double min, max;
    const char *note;
    int (*choice)(struct str text); /* < 0: unknown */
    const struct field *inner;
};

struct str_list {
    const struct str *at;
    uint32_t count;
};

struct attribute { /* any of the values */
    struct str key;
    struct str_list values;
};

struct attribute_list {
    struct attribute *at;
    uint32_t count;
};

/* Lists are comma lists; attributes are key:value pairs, equal keys mean any of the values. */
void fields_from_params(const struct field *table, const struct params *params, void *into,
                        struct problems *problems);

/* A JSON object. ERR_INVALID with the place of a syntax error, a duplicate key, or another kind of
 * value; what is wrong with single fields goes to `problems`. Strings are copied to its arena. */
int fields_from_json(const struct field *table, struct str body, void *into,
                     struct problems *problems, struct error *err) WARN_UNUSED;

/* For both: an external id; false and a problem when it is none. */
bool field_check_id(struct str id, const struct place *place, struct problems *problems);

#endif
