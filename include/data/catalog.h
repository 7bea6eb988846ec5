/* The live catalogue: what is known of each item beyond the orders, in memory, by the store's
 * integer key ("slot"). Changes act on the very next answer.
 *
 * One writer, many readers. The catalogue itself has no lock: the owner (service/shop) holds a
 * read-write lock around every use. Only the writer thread changes it, after its commit; it may
 * read without the lock. */
#ifndef DATA_CATALOG_H
#define DATA_CATALOG_H

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

#include <stdbool.h>

#define CATALOG_NONE MAP_NONE
#define PRICE_NONE   INT64_MIN /* price unknown */
#define STOCK_NONE   INT64_MIN /* stock not kept */

/* One item; strings are the catalogue's own, borrowed by readers while they hold the lock. */
struct catalog_item {
    struct str item_id;
    struct str title;    /* len 0: unknown */
    struct str category; /* JSON array of names, outermost first: ["Home","Kitchen"]; len 0: none */
    struct str attributes; /* JSON object text, compact; len 0: none */
    int64_t price_minor;   /* hundredths of the shop's currency, or PRICE_NONE */
    int64_t stock;         /* or STOCK_NONE */
    int64_t updated_ms;
    int64_t order_ms;   /* time of the newest order row that gave title or price; INT64_MIN: none */
    unsigned described; /* fields that an item record gave: order rows leave them alone */
    bool available;     /* false: never suggested */
    bool known;         /* slot is in use */
};

struct catalog {
    struct catalog_item *items; /* [count], index = slot; slot 0 is never used */
    char **blocks;              /* [count] the one allocation behind each item's strings */
    uint32_t count;
    size_t cap;
    struct strmap slots; /* item_id -> slot */
    size_t text_bytes;
};

int catalog_init(struct catalog *c, struct error *err) WARN_UNUSED;
void catalog_deinit(struct catalog *c);

/* Puts a full copy of `item` in `slot` (new or replacing); its strings may be those of the slot. A
 * slot keeps its id for ever. */
int catalog_put(struct catalog *c, uint32_t slot, const struct catalog_item *item,
                struct error *err) WARN_UNUSED;
/* Forgets the item's data; its id keeps the slot, so that old orders still mean the same item. */
void catalog_remove(struct catalog *c, uint32_t slot);

/* The slot of an id, also of a removed item; CATALOG_NONE: never seen. */
uint32_t catalog_find(const struct catalog *c, struct str item_id);
/* The id that has the slot, also of a removed item; STR_NONE: never seen. */
struct str catalog_id(const struct catalog *c, uint32_t slot);
/* NULL: never seen or removed. */
const struct catalog_item *catalog_at(const struct catalog *c, uint32_t slot);

/* In stock: available and stock unknown or > 0. */
bool catalog_in_stock(const struct catalog_item *item);
/* True when one of the path's names equals `name`. */
bool catalog_in_category(const struct catalog_item *item, struct str name);
/* True when attribute `key` is the string, number or true/false whose JSON text or string value
 * equals `value`, or an array that has it. */
bool catalog_has_attribute(const struct catalog_item *item, struct str key, struct str value);
#endif
