/* uv drives, the daemon serves: its epoll descriptor is readable when it has work, MHD_run does
 * what can be done without waiting, and MHD_get_timeout says when to look again. The daemon must be
 * run after every resume too: nothing else wakes it.
 *
 * Draining: the listener closes, answers say "Connection: close", idle connections get a moment to
 * send what is under way and are then shut down; the loop ends when nobody is left, or when the
 * drain timeout is over and no op still holds a request. */
#include "http/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/exchange.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_BYTES     (16u << 10)
#define SPARE_REQUESTS 256
#define HOUSEWORK_MS   1000
#define DRAIN_LOOK_MS  20
#define DRAIN_IDLE_NS  UINT64_C(300000000)
#define LISTEN_BACKLOG 4096

static void on_timer(uv_timer_t *timer)
{
    loop_drive(timer->data);
}

void loop_drive(struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    uint32_t most = loop->shop->settings->connections;
    if (!loop->daemon)
        return;
    bool full = loop->conns.count >= most;
    loop->mhd.run(loop->daemon);
    if (full && loop->conns.count < most)
        loop->mhd.run(loop->daemon); /* listens again only at the start of a run */
    if (loop->mhd.get_timeout(loop->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&loop->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&loop->timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    loop_drive(poll->data);
}

void loop_resume(struct request *r)
{
    assert(r->waiting && r->resume);
    int status = r->resume(r);
    if (status == LATER)
        return;
    if (status != GO_ON)
        r->status = status;
    r->waiting = false;
    r->loop->away--;
    if (r->conn)
        conn_enter(&r->loop->conns, r->conn, CONN_BODY, clock_mono_ns());
    r->loop->mhd.resume_connection(r->connection);
}

static struct request *take_mail(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct request *first = loop->mail_first;
    loop->mail_first = loop->mail_last = NULL;
    pthread_mutex_unlock(&loop->mutex);
    return first;
}

static void begin_drain(struct loop *loop)
{
    if (loop->draining)
        return;
    loop->draining = true;
    loop->drain_from_ns = clock_mono_ns();
    MHD_socket listener = loop->mhd.quiesce_daemon(loop->daemon);
    if (listener != MHD_INVALID_SOCKET)
        close(listener);
    uv_timer_set_repeat(&loop->housework, DRAIN_LOOK_MS);
    uv_timer_again(&loop->housework);
}

static void on_bell(uv_async_t *bell)
{
    struct loop *loop = bell->data;
    struct request *next;
    for (struct request *r = take_mail(loop); r; r = next) {
        next = r->next;
        loop_resume(r);
    }
    loop_drive(loop);
    unsigned commands = atomic_load(&loop->commands);
    if (commands & (LOOP_DRAIN | LOOP_FORCE))
        begin_drain(loop);
}

void loop_post(struct request *r)
{
    struct loop *loop = r->loop;
    r->next = NULL;
    pthread_mutex_lock(&loop->mutex);
    if (loop->mail_last)
        loop->mail_last->next = r;
    else
        loop->mail_first = r;
    loop->mail_last = r;
    /* Under the mutex: the loop cannot end between the two, as it takes the mail first. */
    uv_async_send(&loop->bell);
    pthread_mutex_unlock(&loop->mutex);
}

void loop_command(struct loop *loop, enum loop_command command)
{
    atomic_fetch_or(&loop->commands, (unsigned)command);
    uv_async_send(&loop->bell);
}

/* True when the loop may end: no connection, or nothing worth waiting for. */
static bool is_drained(struct loop *loop, uint64_t now)
{
    uint64_t waited = now - loop->drain_from_ns;
    bool force = (atomic_load(&loop->commands) & LOOP_FORCE) != 0;
    if (loop->conns.count == 0)
        return true;
    if (waited > DRAIN_IDLE_NS)
        conns_close_idle(&loop->conns);
    if (!force && waited < (uint64_t)loop->shop->settings->drain_timeout_ms * 1000000)
        return false;
    conns_close_all(&loop->conns);
    return loop->away == 0; /* ops hold their requests until they are done */
}

static void on_housework(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    uint64_t now = clock_mono_ns();
    uint32_t closed = conns_reap(&loop->conns, now);
    if (closed)
        log_debug("http.deadline", "connections=%u", closed);
    if (loop->draining && is_drained(loop, now))
        uv_stop(&loop->uv);
    else
        loop_drive(loop); /* and listens again after a shortage of descriptors */
}

static void on_daemon_log(void *cls, const char *format, va_list args)
{
    (void)cls;
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http.daemon", "text=%s", log_text(text, (struct log_quoted[1]){0}));
}

static int start_daemon(struct loop *loop, struct error *err)
{
    const struct settings *s = loop->shop->settings;
    unsigned timeout_s = (unsigned)((s->idle_timeout_ms + s->body_timeout_ms) / 1000 + 1);
    loop->daemon = loop->mhd.start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        exchange_access, loop, MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log, loop,
        MHD_OPTION_LISTEN_SOCKET, loop->listener, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        s->connections, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
        1, MHD_OPTION_URI_LOG_CALLBACK, exchange_target, loop, MHD_OPTION_NOTIFY_COMPLETED,
        exchange_completed, loop, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, loop,
        MHD_OPTION_END);
    if (!loop->daemon)
        return error_set(err, ERR_INTERNAL, "http: the server does not start");
    loop->listener = -1;
    return 0;
}

static int start_handles(struct loop *loop, struct error *err)
{
    const union MHD_DaemonInfo *info =
        loop->mhd.get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = uv_poll_init(&loop->uv, &loop->poll, info->epoll_fd);
    if (rc == 0)
        rc = uv_poll_start(&loop->poll, UV_READABLE, on_readable);
    if (rc == 0)
        rc = uv_timer_start(&loop->housework, on_housework, HOUSEWORK_MS, HOUSEWORK_MS);
    loop->poll.data = loop;
    return rc == 0 ? 0 : error_set(err, ERR_INTERNAL, "http: %s", uv_strerror(rc));
}

static int attach(struct loop *loop, struct error *err)
{
    uint32_t labels;
    const char *const *names = router_labels(&labels);
    if (!(loop->scratch = scratch_new(err)) ||
        !(loop->live = live_attach(loop->shop->live, &loop->uv, err)) ||
        !(loop->metrics = metrics_attach(loop->shop, names, labels, err)))
        return ERR_NOMEM;
    return 0;
}

int loop_open(struct loop *loop, struct shop *shop, uint32_t index, int listener, struct error *err)
{
    const struct settings *s = shop->settings;
    memset(loop, 0, sizeof *loop);
    loop->shop = shop;
    loop->index = index;
    loop->listener = listener;
    pthread_mutex_init(&loop->mutex, NULL);
    conns_init(&loop->conns, s->header_timeout_ms, s->body_timeout_ms, s->idle_timeout_ms);
    rng_seed(&loop->rng, clock_mono_ns() ^ (uint64_t)clock_wall_ms() << 20 ^ index);
    if (uv_loop_init(&loop->uv) != 0 || uv_async_init(&loop->uv, &loop->bell, on_bell) != 0 ||
        uv_timer_init(&loop->uv, &loop->timer) != 0 ||
        uv_timer_init(&loop->uv, &loop->housework) != 0)
        return error_set(err, ERR_INTERNAL, "http: no event loop");
    loop->timer.data = loop->housework.data = loop->bell.data = loop;
    int rc = attach(loop, err);
    if (rc == 0)
        rc = mhd_load(&loop->mhd, err);
    if (rc == 0)
        rc = start_daemon(loop, err);
    return rc == 0 ? start_handles(loop, err) : rc;
}

void loop_run(struct loop *loop)
{
    loop_drive(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void close_handle(uv_handle_t *handle, void *cls)
{
    struct loop *loop = cls;
    if (!uv_is_closing(handle) && handle->data == loop)
        uv_close(handle, NULL);
}

void loop_close(struct loop *loop)
{
    assert(loop->away == 0);
    if (loop->daemon)
        loop->mhd.stop_daemon(loop->daemon);
    loop->daemon = NULL;
    if (loop->listener >= 0)
        close(loop->listener);
    if (loop->live)
        live_detach(loop->live);
    uv_walk(&loop->uv, close_handle, loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    scratch_free(loop->scratch);
    for (struct request *r = loop->spare, *next; r; r = next) {
        next = r->next;
        request_deinit(r);
        free(r);
    }
    pthread_mutex_destroy(&loop->mutex);
}

struct request *loop_take_request(struct loop *loop)
{
    struct request *r = loop->spare;
    if (r) {
        loop->spare = r->next;
        loop->spare_count--;
    } else if (MEM_NEW(r, 1)) {
        request_init(r, loop);
    }
    return r;
}

void loop_give_request(struct request *r)
{
    struct loop *loop = r->loop;
    if (loop->spare_count == SPARE_REQUESTS) {
        request_deinit(r);
        free(r);
        return;
    }
    request_reset(r);
    r->next = loop->spare;
    loop->spare = r;
    loop->spare_count++;
}
