/* What each shopper did lately, in memory: the newest lines of their orders and the newest events,
 * by the user's external id. A change shows in the very next answer. Nothing here is in a model:
 * forgetting a shopper forgets all of it.
 *
 * About 12 bytes a line or event and 60 a shopper with their id. One writer, many readers. There is
 * no lock in here: the owner (service/shop) holds a read-write lock around every use. */
#ifndef DATA_SHOPPERS_H
#define DATA_SHOPPERS_H

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

#include <stdbool.h>

/* One line of an order; 0: times before 1970. */
struct purchase {
    uint32_t slot;   /* of the catalogue */
    uint32_t time_s; /* since 1970 */
    uint32_t order;  /* low half of the order's key */
};

struct click {
    uint32_t slot;
    uint32_t time_s;
    uint32_t kind; /* ingest's enum event_kind */
};

struct shopper {
    struct purchase *lines; /* [line_count] ascending by (time, order, slot): newest last */
    struct click *events;   /* [event_count] ascending by time, then as they came */
    uint16_t line_count, line_cap, event_count, event_cap;
};

struct shoppers {
    struct strmap ids;  /* external id -> user key */
    struct shopper *at; /* [cap] by user key; all zero: nobody */
    size_t cap;
    uint64_t line_count, event_count; /* of all shoppers */
    size_t list_bytes;
};

void shoppers_init(struct shoppers *s);
void shoppers_deinit(struct shoppers *s);

/* The id of a user; known again: no change. User keys are above 0 and dense: memory goes to all up
 * to the highest; those beyond 32 bits are nobody here. ERR_NOMEM: as before the call. */
int shoppers_know(struct shoppers *s, uint64_t user, struct str user_id,
                  struct error *err) WARN_UNUSED;
/* An order's distinct slots; one that is there is replaced. Only the newest LIMIT_HISTORY_LINES
 * lines of a shopper stay. User 0: nothing. ERR_NOMEM: the order is not there. */
int shoppers_put_order(struct shoppers *s, uint64_t user, uint64_t order, int64_t time_ms,
                       const uint32_t *slots, uint32_t count, struct error *err) WARN_UNUSED;
/* Older lines that had made room for this order's do not come back. */
void shoppers_remove_order(struct shoppers *s, uint64_t user, uint64_t order);
/* Only the newest LIMIT_HISTORY_EVENTS stay. User 0: nothing. */
int shoppers_put_event(struct shoppers *s, uint64_t user, const struct click *event,
                       struct error *err) WARN_UNUSED;
/* The id and all that is known of it. */
void shoppers_forget(struct shoppers *s, struct str user_id);

/* Drops what is older from the shoppers with keys in [from, to). */
void shoppers_expire(struct shoppers *s, size_t from, size_t to, int64_t before_ms);

/* NULL: never seen, or forgotten. Borrowed until the next change. */
const struct shopper *shoppers_find(const struct shoppers *s, struct str user_id);
uint64_t shoppers_count(const struct shoppers *s);
size_t shoppers_bytes(const struct shoppers *s);

/* Whole seconds since 1970, held to 32 bits. */
uint32_t history_time_s(int64_t time_ms);
#endif
