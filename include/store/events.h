/* Views, cart adds and the like. event_id unique; without one the caller makes it from the
 * contents, so that re-sending changes nothing. */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "base/progress.h"
#include "store/orders.h"

struct event_row {
    struct str event_id, session_id; /* session_id may be empty */
    uint64_t user;                   /* 0: nobody */
    uint32_t item;
    int kind; /* ingest's enum event_kind */
    int64_t time_ms;
};
int events_put(struct db *db, const struct event_row *row, enum put_outcome *out,
               struct error *err) WARN_UNUSED;
typedef int (*event_visitor)(void *context, const struct event_row *row, struct error *err);
int events_scan(struct db *db, int64_t from_ms, event_visitor visit, void *context,
                struct progress *progress, struct error *err) WARN_UNUSED;
int events_count(struct db *db, uint64_t *count, struct error *err) WARN_UNUSED;
#endif
