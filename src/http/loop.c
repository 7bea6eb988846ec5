/* One loop: MHD's epoll descriptor in a uv_poll, its timeout in a uv_timer, a bell for work that
 * other threads finished, and a tick that closes connections whose deadline has passed. MHD's own
 * timeout counts inactivity only, so a client that sends a byte a second would hold a connection
 * for ever without it. */
#include "http_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define POOL_BYTES     16384
#define TICK_MS        250
#define FORCE_AFTER_NS 5000000000u

static void on_mhd_timer(uv_timer_t *timer);

static void run_daemon(struct loop *loop)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (loop->closing)
        return;
    MHD_run(loop->daemon);
    if (MHD_get_timeout(loop->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&loop->mhd_timer, on_mhd_timer, timeout_ms, 0);
    else
        uv_timer_stop(&loop->mhd_timer);
}

static void on_mhd_timer(uv_timer_t *timer)
{
    run_daemon(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_daemon(poll->data);
}

void loop_kick(struct loop *loop)
{
    uv_timer_start(&loop->mhd_timer, on_mhd_timer, 0, 0);
}

/* ---- connections ---- */

static void connection_open(struct loop *loop, struct MHD_Connection *mhd, void **context)
{
    struct connection *c = mem_zarray(1, sizeof *c);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = c;
    if (!c || !fd)
        return;
    c->loop = loop;
    c->fd = fd->connect_fd;
    c->deadline_ns = clock_mono_ns() + (uint64_t)loop->shop->settings->header_timeout_ms * 1000000u;
    c->next = loop->connections;
    if (c->next)
        c->next->prev = c;
    loop->connections = c;
    loop->connection_count++;
    metrics_connection(loop->metrics, 1);
}

static void connection_close(struct loop *loop, void **context)
{
    struct connection *c = *context;
    *context = NULL;
    if (!c)
        return;
    if (c->loop) {
        if (c->prev)
            c->prev->next = c->next;
        else
            loop->connections = c->next;
        if (c->next)
            c->next->prev = c->prev;
        loop->connection_count--;
        metrics_connection(loop->metrics, -1);
    }
    free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_open(cls, mhd, context);
    else
        connection_close(cls, context);
}

/* ---- the end ---- */

static void close_handles(struct loop *loop)
{
    loop->closing = true;
    uv_close((uv_handle_t *)&loop->poll, NULL);
    uv_close((uv_handle_t *)&loop->mhd_timer, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->bell, NULL);
    live_detach(loop->live);
}

static void start_draining(struct loop *loop)
{
    if (loop->draining)
        return;
    loop->draining = true;
    loop->drain_until_ns =
        clock_mono_ns() + (uint64_t)loop->shop->settings->drain_timeout_ms * 1000000u;
    int listener = MHD_quiesce_daemon(loop->daemon);
    if (listener >= 0)
        close(listener);
}

/* Idle connections go at once, busy ones after their answer or at the end of the time given. A
 * suspended request must come back before the daemon may stop: its work is bounded. */
static void drain_step(struct loop *loop, uint64_t now)
{
    bool over = now >= loop->drain_until_ns || atomic_load(&loop->server->forced);
    for (struct connection *c = loop->connections; c; c = c->next)
        if (!c->busy || over)
            shutdown(c->fd, SHUT_RDWR);
    bool gone = loop->connection_count == 0;
    if (loop->suspended_count == 0 &&
        (gone || now >= loop->drain_until_ns + FORCE_AFTER_NS || over))
        close_handles(loop);
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    uint64_t now = clock_mono_ns();
    for (struct connection *c = loop->connections; c; c = c->next) {
        if (c->deadline_ns && now > c->deadline_ns) {
            c->deadline_ns = 0;
            shutdown(c->fd, SHUT_RDWR);
        }
    }
    run_daemon(loop);
    if (loop->draining)
        drain_step(loop, now);
}

/* ---- mail ---- */

static void on_bell(uv_async_t *bell)
{
    struct loop *loop = bell->data;
    pthread_mutex_lock(&loop->mail_mutex);
    struct request *r = loop->mail;
    loop->mail = NULL;
    pthread_mutex_unlock(&loop->mail_mutex);
    while (r) {
        struct request *next = r->next_mail;
        r->finish(r);
        request_resume(r);
        r = next;
    }
    if (atomic_load(&loop->shop->draining))
        start_draining(loop);
}

void request_wake(struct request *r)
{
    struct loop *loop = r->loop;
    pthread_mutex_lock(&loop->mail_mutex);
    r->next_mail = loop->mail;
    loop->mail = r;
    pthread_mutex_unlock(&loop->mail_mutex);
    uv_async_send(&loop->bell);
}

void loop_drain(struct loop *loop)
{
    uv_async_send(&loop->bell);
}

/* ---- life ---- */

static void on_mhd_log(void *cls, const char *format, va_list args)
{
    char text[256];
    struct log_quoted room;
    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    log_debug("http.library", "text=%s", log_text(text, &room));
}

static int start_daemon(struct loop *loop, struct error *err)
{
    const struct settings *s = loop->shop->settings;
    loop->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
        loop, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, loop->socket,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(s->idle_timeout_ms / 1000 + 1), MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target, loop,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, loop, MHD_OPTION_END);
    if (!loop->daemon)
        return error_set(err, ERR_INTERNAL, "cannot start the HTTP daemon");
    return 0;
}

static int start_handles(struct loop *loop, struct error *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_timer_init(&loop->uv, &loop->mhd_timer);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->poll.data = loop->mhd_timer.data = loop->tick.data = loop->bell.data = loop;
    int rc = uv_poll_init(&loop->uv, &loop->poll, info->epoll_fd);
    if (rc == 0)
        rc = uv_poll_start(&loop->poll, UV_READABLE, on_ready);
    if (rc == 0)
        rc = uv_async_init(&loop->uv, &loop->bell, on_bell);
    if (rc == 0)
        rc = uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
    return rc ? error_set(err, ERR_INTERNAL, "event loop: %s", uv_strerror(rc)) : 0;
}

int loop_init(struct loop *loop, struct error *err)
{
    if (getrandom(&loop->id_prefix, sizeof loop->id_prefix, 0) != (ssize_t)sizeof loop->id_prefix)
        return error_set(err, ERR_INTERNAL, "no random numbers");
    pthread_mutex_init(&loop->mail_mutex, NULL);
    if (uv_loop_init(&loop->uv) != 0)
        return error_set(err, ERR_NOMEM, "event loop: out of memory");
    loop->scratch = scratch_new(err);
    loop->metrics = loop->scratch
                        ? metrics_attach(loop->shop, loop->server->route_names, route_count, err)
                        : NULL;
    loop->live = loop->metrics ? live_attach(loop->shop->live, &loop->uv, err) : NULL;
    if (!loop->live)
        return err ? (int)err->code : ERR_NOMEM;
    int rc = start_daemon(loop, err);
    return rc ? rc : start_handles(loop, err);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_deinit(struct loop *loop)
{
    if (loop->daemon)
        MHD_stop_daemon(loop->daemon);
    int rc = uv_loop_close(&loop->uv);
    assert(rc == 0 || !loop->closing);
    (void)rc;
    scratch_free(loop->scratch);
    pthread_mutex_destroy(&loop->mail_mutex);
}
