/* Events become sessions by the rules of data/sessions.h, and each event of a session an order of
 * one item by it. */
#include "evaldata_internal.h"

#include "base/vec.h"
#include "store/events.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

int evaldata_event(struct gathering *g, const struct event *e, struct str session_id,
                   struct error *err)
{
    struct event event = *e;
    if (session_id.len)
        event.session = XXH3_64bits(session_id.ptr, session_id.len) | 1;
    if (event.action == ACTION_UNCART)
        return 0;
    if (!g->events && !(g->events = session_builder_new(NULL, err)))
        return ERR_NOMEM;
    return session_builder_add(g->events, &event, err);
}

int evaldata_add_sessions(struct gathering *g, struct error *err)
{
    struct sessions sessions;
    int rc = session_builder_finish(g->events, &sessions, err);
    const struct histories *rows = &sessions.rows;
    if (rc)
        return rc;
    for (uint32_t r = 0; rc == 0 && r < rows->count; r++)
        for (uint64_t e = rows->start[r]; rc == 0 && e < rows->start[r + 1]; e++)
            rc = dataset_add(&g->out->orders, rows->time_ms[e], (uint64_t)r + 1, &rows->item[e], 1,
                             err);
    g->out->timed = true;
    sessions_deinit(&sessions);
    return rc;
}

static int take_event(void *context, const struct event_row *row, struct error *err)
{
    if (row->kind < 0 || row->kind >= ACTION_COUNT || row->item == 0 || row->item == UINT32_MAX)
        return error_set(err, ERR_CORRUPT, "event %.*s: its kind or item is damaged",
                         STR_ARG(row->event_id));
    struct event event = {.time_ms = row->time_ms,
                          .user = row->user,
                          .item = row->item,
                          .action = (uint8_t)row->kind};
    return evaldata_event(context, &event, row->session_id, err);
}

int evaldata_store_events(struct gathering *g, struct db *db, struct error *err)
{
    return events_scan(db, INT64_MIN, take_event, g, g->request->progress, err);
}
