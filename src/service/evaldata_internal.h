/* What the three sources of an evaluation share. */
#ifndef SERVICE_EVALDATA_INTERNAL_H
#define SERVICE_EVALDATA_INTERNAL_H

#include "base/map.h"
#include "base/vec.h"
#include "service/evaldata.h"

struct db;

struct gathering {
    const struct evaldata_request *request;
    struct evaldata *out;
    struct dict shoppers;
    struct strmap orders;           /* id -> index below */
    VEC(uint32_t) key;              /* of all orders, one behind the other */
    VEC(uint64_t) start;            /* [orders] into key */
    VEC(int64_t) time_ms;           /* [orders] or RECORD_NO_TIME */
    VEC(uint64_t) user;             /* [orders] index + 1; 0: nobody */
    VEC(bool) gone;                 /* [orders] replaced or cancelled later */
    struct session_builder *events; /* NULL: there were none */
};

/* Add all orders to out->orders, the names to out->names; the store finishes both. */
int evaldata_sequences(struct gathering *g, struct str text, struct error *err) WARN_UNUSED;
int evaldata_records(struct gathering *g, struct str text, struct error *err) WARN_UNUSED;
int evaldata_store(struct gathering *g, struct error *err) WARN_UNUSED;

/* `request->sessions`: one event, its session id beside it; all of the store's; what was gathered,
 * as orders. */
int evaldata_event(struct gathering *g, const struct event *e, struct str session_id,
                   struct error *err) WARN_UNUSED;
int evaldata_store_events(struct gathering *g, struct db *db, struct error *err) WARN_UNUSED;
int evaldata_add_sessions(struct gathering *g, struct error *err) WARN_UNUSED;

#endif
