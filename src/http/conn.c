/* A plain list: the reaper looks at every connection once a second, some thousands at most, which
 * costs microseconds; every other operation is O(1). */
#include "http/conn.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NEVER UINT64_MAX
#define MIB   (1u << 20)

void conns_init(struct conns *list, int64_t header_ms, int64_t body_ms, int64_t idle_ms)
{
    *list = (struct conns){.header_ns = (uint64_t)header_ms * 1000000,
                           .body_ns = (uint64_t)body_ms * 1000000,
                           .idle_ns = (uint64_t)idle_ms * 1000000};
}

struct conn *conns_add(struct conns *list, int fd, uint64_t now_ns)
{
    struct conn *conn;
    if (!MEM_ZNEW(conn, 1))
        return NULL;
    conn->fd = fd;
    conn->next = list->first;
    if (conn->next)
        conn->next->prev = conn;
    list->first = conn;
    list->count++;
    conn_enter(list, conn, CONN_FIRST, now_ns);
    return conn;
}

void conns_remove(struct conns *list, struct conn *conn)
{
    assert(list->count > 0);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        list->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    list->count--;
    free(conn);
}

void conn_enter(const struct conns *list, struct conn *conn, enum conn_phase phase, uint64_t now_ns)
{
    uint64_t idle_until = conn->deadline_ns;
    conn->phase = phase;
    conn->since_ns = now_ns;
    conn->bytes = 0;
    switch (phase) {
    case CONN_FIRST:
        conn->deadline_ns = now_ns + list->header_ns;
        break;
    case CONN_HEAD:
        conn->deadline_ns =
            idle_until < now_ns + list->header_ns ? idle_until : now_ns + list->header_ns;
        break;
    case CONN_BODY:
    case CONN_REPLY:
        conn->deadline_ns = now_ns + list->body_ns;
        break;
    case CONN_WORK:
        conn->deadline_ns = NEVER;
        break;
    case CONN_IDLE:
        conn->deadline_ns = now_ns + list->idle_ns;
        break;
    }
}

void conn_moved(const struct conns *list, struct conn *conn, uint64_t bytes)
{
    conn->bytes += bytes;
    if (conn->deadline_ns != NEVER)
        conn->deadline_ns = conn->since_ns + list->body_ns * (1 + conn->bytes / MIB);
}

static void close_one(struct conn *conn)
{
    shutdown(conn->fd, SHUT_RDWR);
    conn->deadline_ns = NEVER;
}

uint32_t conns_reap(struct conns *list, uint64_t now_ns)
{
    uint32_t closed = 0;
    for (struct conn *conn = list->first; conn; conn = conn->next) {
        if (conn->deadline_ns > now_ns)
            continue;
        close_one(conn);
        closed++;
    }
    return closed;
}

void conns_close_idle(struct conns *list)
{
    for (struct conn *conn = list->first; conn; conn = conn->next)
        if (conn->phase == CONN_IDLE || conn->phase == CONN_FIRST)
            close_one(conn);
}

void conns_close_all(struct conns *list)
{
    for (struct conn *conn = list->first; conn; conn = conn->next)
        close_one(conn);
}
