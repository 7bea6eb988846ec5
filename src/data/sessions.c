/* Collected events lie in a ring of flat arrays. Finishing:
 *
 *   1. each event gets a stream: its session, else its user, else itself (hash maps);
 *   2. all events are ordered by time, then dealt to their streams: each stream is in time order;
 *   3. streams are cut into sessions, at pauses where they are a user's, and at the bound;
 *   4. sessions are ordered by the time of their newest event and copied.
 *
 * Linear but for the radix sorts, which are nearly so. Memory at the peak: 29 bytes an event
 * collected, about 50 more while the sessions are made. */
#include "data/sessions.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "time_order.h"

#include <stdlib.h>

#define DEFAULT_MAX_EVENTS         10000000u
#define DEFAULT_MAX_SESSION_EVENTS 200

struct session_builder {
    uint32_t max_events, max_session_events;
    uint64_t added;
    VEC(int64_t) time; /* [events]; past max_events the ring begins anew */
    VEC(uint64_t) user;
    VEC(uint64_t) session;
    VEC(uint32_t) item;
    VEC(uint8_t) action;
};

/* What is known of each event while sessions are made: by number of the event. */
struct work {
    uint32_t count;         /* of events */
    uint32_t streams;       /* of sessions first, then of users */
    uint32_t *stream;       /* [count] */
    uint32_t *by_stream;    /* [count] events, stream by stream, in time order */
    VEC(uint32_t) begin;    /* [sessions + 1] places in by_stream */
    VEC(uint32_t) end;      /* [sessions] */
    VEC(int64_t) newest_ms; /* [sessions] */
};

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "sessions: out of memory");
}

void sessions_deinit(struct sessions *s)
{
    histories_deinit(&s->rows);
    free(s->action);
    *s = (struct sessions){0};
}

size_t sessions_bytes(const struct sessions *s)
{
    return histories_bytes(&s->rows) + sessions_events(s) * sizeof *s->action;
}

uint64_t sessions_events(const struct sessions *s)
{
    return s->rows.start ? s->rows.start[s->rows.count] : 0;
}

int sessions_copy(const struct sessions *s, uint32_t count, struct sessions *out, struct error *err)
{
    uint64_t events = s->rows.start ? s->rows.start[count] : 0;
    struct sessions made = {.rows = {.count = count, .item_count = s->rows.item_count}};
    made.rows.start = mem_copy(s->rows.start, (count + (size_t)1) * sizeof *s->rows.start);
    made.rows.item = mem_copy(s->rows.item, events * sizeof *s->rows.item);
    made.rows.time_ms = mem_copy(s->rows.time_ms, events * sizeof *s->rows.time_ms);
    made.action = mem_copy(s->action, events * sizeof *s->action);
    *out = made;
    if (made.rows.start && made.rows.item && made.rows.time_ms && made.action)
        return 0;
    sessions_deinit(out);
    return out_of_memory(err);
}

struct session_builder *session_builder_new(const struct session_limits *limits, struct error *err)
{
    struct session_builder *b;
    if (!MEM_ZNEW(b, 1)) {
        out_of_memory(err);
        return NULL;
    }
    b->max_events = limits && limits->max_events ? limits->max_events : DEFAULT_MAX_EVENTS;
    b->max_session_events = limits && limits->max_session_events ? limits->max_session_events
                                                                 : DEFAULT_MAX_SESSION_EVENTS;
    return b;
}

void session_builder_free(struct session_builder *b)
{
    if (!b)
        return;
    VEC_FREE(&b->time);
    VEC_FREE(&b->user);
    VEC_FREE(&b->session);
    VEC_FREE(&b->item);
    VEC_FREE(&b->action);
    free(b);
}

static bool reserve(struct session_builder *b, size_t count)
{
    return VEC_RESERVE(&b->time, count) && VEC_RESERVE(&b->user, count) &&
           VEC_RESERVE(&b->session, count) && VEC_RESERVE(&b->item, count) &&
           VEC_RESERVE(&b->action, count);
}

int session_builder_add(struct session_builder *b, const struct event *e, struct error *err)
{
    size_t at = b->added % b->max_events;
    if (at == b->time.count) {
        if (!reserve(b, at + 1))
            return out_of_memory(err);
        b->time.count++;
    }
    b->time.at[at] = e->time_ms;
    b->user.at[at] = e->user;
    b->session.at[at] = e->session;
    b->item.at[at] = e->item;
    b->action.at[at] = e->action;
    b->added++;
    return 0;
}

/* Gives each event with a key of that kind the stream of its key, a new one at its first. */
static bool number_streams(struct work *w, const uint64_t *key, const uint64_t *unless)
{
    struct u64map streams;
    bool good = true;
    u64map_init(&streams);
    for (uint32_t e = 0; e < w->count && good; e++) {
        if (key[e] == 0 || (unless && unless[e] != 0))
            continue;
        uint32_t stream = u64map_get(&streams, key[e]);
        if (stream == MAP_NONE) {
            stream = w->streams++;
            good = u64map_set(&streams, key[e], stream);
        }
        w->stream[e] = stream;
    }
    u64map_deinit(&streams);
    return good;
}

/* Events by time, then by stream, each stream keeping the order of time. */
static bool deal(struct work *w, const int64_t *time)
{
    uint32_t *next, *order = order_by_time(time, w->count);
    MEM_ZNEW(next, (size_t)w->streams + 1);
    MEM_NEW(w->by_stream, w->count);
    bool good = next && order && w->by_stream;
    for (uint32_t e = 0; e < w->count && good; e++)
        next[w->stream[e] + 1]++;
    for (uint32_t s = 0; s < w->streams && good; s++)
        next[s + 1] += next[s];
    for (uint32_t x = 0; x < w->count && good; x++)
        w->by_stream[next[w->stream[order[x]]]++] = order[x];
    free(next);
    free(order);
    return good;
}

static bool is_pause(int64_t before, int64_t after)
{
    return (uint64_t)after - (uint64_t)before >= (uint64_t)SESSION_PAUSE_MS;
}

static bool cut(const struct session_builder *b, struct work *w)
{
    const int64_t *time = b->time.at;
    for (uint32_t begin = 0, end; begin < w->count; begin = end) {
        uint32_t first = w->by_stream[begin];
        bool of_user = b->session.at[first] == 0;
        for (end = begin + 1; end < w->count; end++) {
            uint32_t last = w->by_stream[end - 1], e = w->by_stream[end];
            if (w->stream[e] != w->stream[first] || (of_user && is_pause(time[last], time[e])))
                break;
        }
        uint32_t from = end - begin > b->max_session_events ? end - b->max_session_events : begin;
        if (!VEC_PUSH(&w->begin, from) || !VEC_PUSH(&w->end, end) ||
            !VEC_PUSH(&w->newest_ms, time[w->by_stream[end - 1]]))
            return false;
    }
    return true;
}

static bool copy(const struct session_builder *b, const struct work *w, struct sessions *out)
{
    struct histories *rows = &out->rows;
    uint64_t kept = 0, at = 0;
    uint32_t *order = order_by_time(w->newest_ms.at, (uint32_t)w->begin.count);
    for (size_t s = 0; s < w->begin.count; s++)
        kept += w->end.at[s] - w->begin.at[s];
    rows->count = (uint32_t)w->begin.count;
    MEM_ZNEW(rows->start, (size_t)rows->count + 1);
    MEM_NEW(rows->item, kept);
    MEM_NEW(rows->time_ms, kept);
    MEM_NEW(out->action, kept);
    bool good = order && rows->start && rows->item && rows->time_ms && out->action;
    for (uint32_t s = 0; s < rows->count && good; s++) {
        for (uint32_t x = w->begin.at[order[s]]; x < w->end.at[order[s]]; x++, at++) {
            uint32_t e = w->by_stream[x];
            rows->item[at] = b->item.at[e];
            rows->time_ms[at] = b->time.at[e];
            out->action[at] = b->action.at[e];
        }
        rows->start[s + 1] = at;
    }
    out->dropped = b->added - kept;
    free(order);
    return good;
}

static bool make(struct session_builder *b, struct work *w, struct sessions *out)
{
    if (!MEM_NEW(w->stream, w->count))
        return false;
    for (uint32_t e = 0; e < w->count; e++)
        w->stream[e] = MAP_NONE;
    if (!number_streams(w, b->session.at, NULL) || !number_streams(w, b->user.at, b->session.at))
        return false;
    for (uint32_t e = 0; e < w->count; e++)
        if (w->stream[e] == MAP_NONE)
            w->stream[e] = w->streams++;
    return deal(w, b->time.at) && cut(b, w) && copy(b, w, out);
}

int session_builder_finish(struct session_builder *b, struct sessions *out, struct error *err)
{
    struct work w = {.count = (uint32_t)b->time.count};
    *out = (struct sessions){0};
    bool good = make(b, &w, out);
    free(w.stream);
    free(w.by_stream);
    VEC_FREE(&w.begin);
    VEC_FREE(&w.end);
    VEC_FREE(&w.newest_ms);
    if (good)
        return 0;
    sessions_deinit(out);
    return out_of_memory(err);
}

/* Collected 29 bytes in arrays that grow by half; then streams and two copies for the sort. */
#define COLLECTED_BYTES 44
#define SORTED_BYTES    52

uint64_t sessions_estimate_bytes(uint64_t events)
{
    return events * (COLLECTED_BYTES + SORTED_BYTES);
}
