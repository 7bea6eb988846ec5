/* Views, cart adds and the like. event_id unique; without one the caller makes it from the
 * contents, so that re-sending changes nothing. */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "base/progress.h"
#include "store/orders.h"

struct event_row {
    uint64_t key; /* of its row, in order of arrival; given by reads, not looked at by puts */
    struct str event_id, session_id; /* session_id may be empty */
    uint64_t user;                   /* 0: nobody */
    uint32_t item;
    int kind; /* ingest's enum event_kind */
    int64_t time_ms;
};
int events_put(struct db *db, const struct event_row *row, enum put_outcome *out,
               struct error *err) WARN_UNUSED;
uint64_t events_newest(const struct db *db); /* key of the last one that was accepted */
typedef int (*event_visitor)(void *context, const struct event_row *row, struct error *err);
int events_scan(struct db *db, int64_t from_ms, event_visitor visit, void *context,
                struct progress *progress, struct error *err) WARN_UNUSED;
/* The same for at most `limit` events with a key above *after; then *after is the last one's.
 * *ended: there are no more. */
int events_scan_after(struct db *db, uint64_t *after, uint32_t limit, event_visitor visit,
                      void *context, bool *ended, struct error *err) WARN_UNUSED;
int events_last_key(struct db *db, uint64_t *key, struct error *err) WARN_UNUSED; /* 0: none */
int events_count(struct db *db, uint64_t *count, struct error *err) WARN_UNUSED;
#endif
