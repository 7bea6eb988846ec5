/* One event loop: a uv loop that drives its own libmicrohttpd daemon through the daemon's epoll
 * descriptor, a slot with the live model, a scratch, and a mailbox through which other threads give
 * requests back. Everything but loop_post and loop_command is for the loop's thread. */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include "base/rng.h"
#include "http/conn.h"
#include "http/mhd.h"
#include "http/request.h"
#include "service/live.h"
#include "service/metrics.h"

#include <pthread.h>
#include <uv.h>

enum loop_command {
    LOOP_DRAIN = 1, /* take no new connections, end when nothing is in flight */
    LOOP_FORCE = 2  /* do not wait for clients any longer */
};

struct loop {
    struct shop *shop;
    uint32_t index;
    uv_loop_t uv;
    uv_poll_t poll;       /* the daemon's epoll descriptor */
    uv_timer_t timer;     /* what the daemon asks for */
    uv_timer_t housework; /* deadlines, draining */
    uv_async_t bell;
    struct mhd mhd;
    struct MHD_Daemon *daemon;
    int listener; /* -1: the daemon's, or closed */

    pthread_mutex_t mutex;
    struct request *mail_first, *mail_last; /* under it */
    _Atomic unsigned commands;

    struct live_slot *live;
    struct scratch *scratch;
    struct metrics_loop *metrics;
    struct conns conns;
    struct rng rng; /* request ids */
    struct request *spare;
    uint32_t spare_count;
    uint32_t in_flight; /* requests between their head and the end of their answer */
    uint32_t away;      /* of these, suspended ones */
    bool draining, stopping;
    uint64_t drain_from_ns;
};

/* Takes the listening socket, also on failure. */
int loop_open(struct loop *loop, struct shop *shop, uint32_t index, int listener,
              struct error *err) WARN_UNUSED;
/* Until drained. */
void loop_run(struct loop *loop);
void loop_close(struct loop *loop);

/* Any thread: the request's op is done. */
void loop_post(struct request *r);
/* On the loop, outside the daemon's calls: the request goes on by its resume function. The daemon
 * must be driven afterwards, once for many. */
void loop_resume(struct request *r);
/* Runs the daemon and sets the timer it asks for. */
void loop_drive(struct loop *loop);
/* Any thread. */
void loop_command(struct loop *loop, enum loop_command command);

/* A request for a new target; NULL: out of memory. */
struct request *loop_take_request(struct loop *loop);
void loop_give_request(struct request *r);

#endif
