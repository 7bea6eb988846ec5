/* Deadlines of connections. libmicrohttpd's own timeout is about inactivity only: a client that
 * sends a byte a second would hold a connection for ever. One list per event loop, touched by its
 * thread alone; the reaper shuts the sockets down and leaves closing them to the daemon. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <stdint.h>

enum conn_phase {
    CONN_FIRST, /* until the first request's head is complete: header timeout */
    CONN_HEAD,  /* a later request's head has begun: header timeout, within the idle one */
    CONN_BODY,  /* body timeout for each begun MiB */
    CONN_WORK,  /* the client waits for us: none */
    CONN_REPLY, /* the client reads: body timeout for each begun MiB */
    CONN_IDLE   /* between requests: idle timeout */
};

struct conn {
    struct conn *prev, *next;
    int fd;
    enum conn_phase phase;
    uint64_t since_ns, deadline_ns; /* UINT64_MAX: none, or shut down already */
    uint64_t bytes;                 /* of the phase */
};

struct conns {
    struct conn *first;
    uint32_t count;
    uint64_t header_ns, body_ns, idle_ns;
};

void conns_init(struct conns *list, int64_t header_ms, int64_t body_ms, int64_t idle_ms);
/* NULL: out of memory. */
struct conn *conns_add(struct conns *list, int fd, uint64_t now_ns)
    __attribute__((warn_unused_result));
void conns_remove(struct conns *list, struct conn *conn); /* frees it */

void conn_enter(const struct conns *list, struct conn *conn, enum conn_phase phase,
                uint64_t now_ns);
/* Bytes of the body that came, or of the reply that is to go. */
void conn_moved(const struct conns *list, struct conn *conn, uint64_t bytes);

/* Shuts down what is overdue; returns how many. */
uint32_t conns_reap(struct conns *list, uint64_t now_ns);
/* Shuts down those that are between requests. */
void conns_close_idle(struct conns *list);
void conns_close_all(struct conns *list);

#endif
