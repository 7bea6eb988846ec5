/* One cleaned record of a shop's data, whatever format it came in. All slices are borrowed: valid
 * during the callback only. */
#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H

#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

#include <stdbool.h>

#define RECORD_NO_TIME  INT64_MIN
#define RECORD_NO_PRICE INT64_MIN /* equals data/catalog's PRICE_NONE */
#define RECORD_NO_STOCK INT64_MIN

enum record_kind { RECORD_ORDER, RECORD_ITEM, RECORD_EVENT, RECORD_CANCEL };

enum event_kind {
    EVENT_VIEW,
    EVENT_CART,
    EVENT_UNCART,
    EVENT_WISH,
    EVENT_PURCHASE,
    EVENT_KIND_COUNT
};

struct record_line {
    struct str item_id;
    struct str title;    /* from an order row, updates the catalogue; len 0: none */
    int64_t quantity;    /* > 0 after cleaning */
    int64_t price_minor; /* of one piece, hundredths; or RECORD_NO_PRICE */
};

/* Which fields an item record carries; the others keep their stored value (PATCH), or are cleared
 * (`replace`). A field given as null has its bit set and its "none" value. */
enum item_fields {
    ITEM_TITLE = 1,
    ITEM_CATEGORY = 2,
    ITEM_PRICE = 4,
    ITEM_STOCK = 8,
    ITEM_ATTRIBUTES = 16,
    ITEM_AVAILABLE = 32,
    ITEM_ALL = 63
};

struct record {
    enum record_kind kind;
    uint64_t line;   /* 1-based input line (or array element) where it starts */
    int64_t time_ms; /* orders, events; RECORD_NO_TIME: take the time of arrival */

    /* RECORD_ORDER, RECORD_CANCEL */
    struct str order_id;
    struct str user_id; /* len 0: nobody; also events */
    const struct record_line *lines;
    uint32_t line_count;  /* distinct items, >= 1 for an order */
    uint32_t input_lines; /* rows it was made of, before merging */

    /* RECORD_EVENT */
    struct str event_id, session_id;
    enum event_kind event;

    /* RECORD_ITEM, RECORD_EVENT */
    struct str item_id;

    /* RECORD_ITEM */
    unsigned fields;                        /* enum item_fields */
    struct str title, category, attributes; /* category, attributes: compact JSON text */
    int64_t price_minor, stock;
    bool available;
};

/* Every input line ends in exactly one of these: read = the sum of the others. For orders, items,
 * events and cancels the unit is the record; `lines` counts rows of orders (elements of `items`, in
 * JSON). The rules are in ingest/clean.h. The reader fills what it decides itself (read, merged,
 * cancelled, returned, excluded, rejected); the store decides of the records it is given, which
 * makes read = the sum: each counts once as accepted, replaced, duplicate or cancelled, and an
 * order's line_count lines likewise in `lines`. */
struct tally {
    uint64_t read, accepted, replaced, duplicate, cancelled, returned, merged, excluded, rejected;
};

struct ingest_counts {
    struct tally orders, lines, items, events, cancels;
};

/* A rejected line. field may be "" (the line as a whole). Called on the reader's thread. */
struct record_problem {
    uint64_t line;
    const char *field;
    const char *reason; /* "expected a whole number, got 'x'" */
};

/* "line 7: price: expected an amount such as 12.50, got 'x'", cut to the size. */
void record_problem_text(const struct record_problem *p, char *out, size_t size);

/* Names of kinds as in the records ("view", "cart" …); -1 unknown. */
int event_kind_parse(struct str name);
const char *event_kind_name(enum event_kind kind);

#endif
