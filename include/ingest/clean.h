/* The rules that make a shop's data fit to learn from, in one place for every format. Formats hand
 * in text; what comes out of the sink keeps the promises of record.h. Every row ends in exactly one
 * class, so that read = the sum of the classes (with the rows of the records given out).
 *
 * Rows of orders
 *  - ids as id_problem(). No quantity: 1. Quantity 0, not whole, beyond LIMIT_QUANTITY: rejected.
 *    "1.000" is whole.
 *  - Price absent or 0: fine; negative or malformed: rejected. Currency signs are not guessed.
 *  - An item that include_items/exclude_items keep out: excluded, whatever else the row holds.
 *  - Rows of the same item in one order become one line: quantities add up, the last price of a
 *    positive row holds, the first title; the other rows are `merged`.
 *  - A negative quantity is a return: it takes from that item in the same order; the row is
 *    `returned`. An item of which nothing is left goes, and all its rows are `returned`.
 *  - An order of which nothing is left after returns is cancelled: not given out, all its good rows
 *    are `cancelled`.
 *  - More than LIMIT_ORDER_LINES rows: the order is rejected with one problem, and so its rows.
 *  - An order without a good row is rejected, or excluded when one was excluded.
 * Times more than LIMIT_FUTURE_MS ahead of now: rejected. One thread. */
#ifndef INGEST_CLEAN_H
#define INGEST_CLEAN_H

#include <regex.h>

#include "ingest/reader.h"

struct cleaner {
    struct reader_sink sink;
    struct ingest_counts counts;
    uint64_t given_orders, given_lines, given_items, given_events, given_cancels; /* to the sink */
    int64_t now_ms;
    bool has_include, has_exclude;
    regex_t include, exclude;
};

/* Where a value stands, for problems. */
struct place {
    uint64_t line;
    int64_t element; /* 0-based, of a JSON order's items; -1: not inside one */
};

/* Values as text, not yet judged. ptr NULL: absent. */
struct raw_line {
    struct str item_id, title, quantity, price;
};
struct raw_event {
    struct str event_id, event, user_id, session_id, item_id, time;
};
struct raw_item {
    unsigned fields; /* enum item_fields that are given; one that is absent here is null */
    struct str item_id, title, price, stock;
    struct str category, attributes; /* compact JSON, checked; len 0: none */
    bool available;
};

enum line_class { LINE_GOOD, LINE_REJECTED, LINE_EXCLUDED };

/* ERR_INVALID: a regular expression that does not compile. */
int clean_init(struct cleaner *c, const struct reader_options *options,
               const struct reader_sink *sink, struct error *err) WARN_UNUSED;
void clean_deinit(struct cleaner *c); /* may run twice */

/* Reports a problem; counting is the caller's. `field` gets "items[n]." in front inside items. */
void clean_problem(struct cleaner *c, struct place at, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reports a whole row or record that cannot be read and counts it in `tally`. */
void clean_reject(struct cleaner *c, struct tally *tally, struct place at, const char *field,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Judges an order's row and counts it as read, and as rejected (with a problem) or excluded. A good
 * one fills *out; its quantity may be negative. */
enum line_class clean_line(struct cleaner *c, struct place at, const struct raw_line *raw,
                           struct record_line *out);

/* Judge one value; false: a problem was reported. An absent time gives RECORD_NO_TIME. */
bool clean_id(struct cleaner *c, struct place at, const char *field, struct str id);
bool clean_time(struct cleaner *c, struct place at, struct str text, int64_t *out);

/* Judge, count and give out one record. Non-zero only when the sink stops the reading. */
int clean_event(struct cleaner *c, struct place at, const struct raw_event *raw,
                struct error *err) WARN_UNUSED;
int clean_item(struct cleaner *c, struct place at, const struct raw_item *raw,
               struct error *err) WARN_UNUSED;
int clean_cancel(struct cleaner *c, struct place at, struct str order_id,
                 struct error *err) WARN_UNUSED;

/* Panics unless read = the sum of the classes in every tally. For the end of an input. */
void clean_check_counts(const struct cleaner *c);

/* An excerpt of a value for a message: at most 40 bytes, cut between characters, valid UTF-8. */
struct excerpt {
    char text[48];
};
const char *excerpt(struct str value, struct excerpt *room);

#endif
