/* Visits: what a shopper looked at, in order. A row of (item, time, action) for each session id;
 * where events came without one, for each stretch of a user's events with no pause of 30 minutes or
 * more; an event of nobody in no session is a row by itself.
 *
 * Orders are not in it: they carry no session id, and by time alone they would stand beside the
 * visit they end, as sessions of their own. A shop that wants them there sends purchase events.
 *
 * Bounded: of more than max_events events the ones added first make room, of a session with more
 * than max_session_events its earliest ones (a robot, or an id that is never renewed). */
#ifndef DATA_SESSIONS_H
#define DATA_SESSIONS_H

#include "data/events.h"
#include "data/histories.h"

#define SESSION_PAUSE_MS (30 * 60 * 1000LL)

struct sessions {
    struct histories rows; /* by the time of their newest event, ascending; ties: by first added */
    uint8_t *action;       /* [rows.start[rows.count]] enum action, beside rows.item */
    uint64_t dropped;      /* events that the bounds left out */
};

void sessions_deinit(struct sessions *s);
size_t sessions_bytes(const struct sessions *s);
uint64_t sessions_events(const struct sessions *s); /* in all rows */
/* The first `count` of them: those that were over first. ERR_NOMEM. */
int sessions_copy(const struct sessions *s, uint32_t count, struct sessions *out,
                  struct error *err) WARN_UNUSED;

struct session_limits {          /* zero = default */
    uint32_t max_events;         /* 10 million: up to 1 GB while it is made, 130 MB after */
    uint32_t max_session_events; /* 200 */
};

/* Collects events in any order. */
struct session_builder;
struct session_builder *session_builder_new(const struct session_limits *limits,
                                            struct error *err) WARN_UNUSED;
void session_builder_free(struct session_builder *b);
int session_builder_add(struct session_builder *b, const struct event *e,
                        struct error *err) WARN_UNUSED;
/* The sessions; rows.item are store keys, in which the caller puts its own indices. The builder
 * cannot be added to afterwards. ERR_NOMEM. */
int session_builder_finish(struct session_builder *b, struct sessions *out,
                           struct error *err) WARN_UNUSED;

/* Most bytes for so many events, while they are collected and sorted. */
uint64_t sessions_estimate_bytes(uint64_t events);

#endif
