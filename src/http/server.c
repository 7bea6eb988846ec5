/* Threads and signals around the loops: each loop has its own thread, the calling one waits for
 * signals and for the loops to end. Everything is opened before anything runs, so that a failure is
 * told at once and undone in one place. */
#include "http/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "http/cors.h"
#include "http/listen.h"
#include "http/loop.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct server {
    struct shop *shop;
    struct loop *loops;
    uv_thread_t *threads;
    uint32_t count, opened, started;
    uv_loop_t uv; /* the calling thread's */
    uv_signal_t terminate, interrupt, hangup;
    uv_async_t ended; /* rung by a loop that has ended */
    _Atomic uint32_t running;
    bool draining;
};

struct runner {
    struct server *server;
    struct loop *loop;
};

static int check_access(struct shop *shop, const struct listen_address *address, struct error *err)
{
    const char *why = cors_problem(str_of(shop->settings->cors_origins));
    if (why)
        return error_set(err, ERR_INVALID, "server.cors_origins: %s", why);
    if (listen_is_loopback(address) || access_has_keys(shop))
        return 0;
    if (!shop->settings->insecure)
        return error_set(err, ERR_INVALID,
                         "server.listen: %s is open to other machines and no key is configured; "
                         "add one with `basketd key add`, or allow it with --insecure",
                         shop->settings->listen);
    log_warn("serve.insecure", "listen=%s keys=0", shop->settings->listen);
    return 0;
}

static void command_all(struct server *s, enum loop_command command)
{
    for (uint32_t i = 0; i < s->count; i++)
        loop_command(&s->loops[i], command);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;
    if (number == SIGHUP) /* there is nothing to read again */
        return;
    log_info("serve.drain", "signal=%d force=%d", number, s->draining);
    shop_set_draining(s->shop);
    command_all(s, s->draining ? LOOP_FORCE : LOOP_DRAIN);
    s->draining = true;
}

static void on_ended(uv_async_t *handle)
{
    struct server *s = handle->data;
    if (atomic_load(&s->running) == 0)
        uv_stop(&s->uv);
}

static int watch(struct server *s, struct error *err)
{
    uv_signal_t *handles[] = {&s->terminate, &s->interrupt, &s->hangup};
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    s->ended.data = s;
    int rc = uv_async_init(&s->uv, &s->ended, on_ended);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && rc == 0; i++) {
        handles[i]->data = s;
        rc = uv_signal_init(&s->uv, handles[i]);
        if (rc == 0)
            rc = uv_signal_start(handles[i], on_signal, numbers[i]);
    }
    return rc == 0 ? 0 : error_set(err, ERR_INTERNAL, "http: signals: %s", uv_strerror(rc));
}

static int open_loops(struct server *s, const int *sockets, struct error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (rc == 0) {
            rc = loop_open(&s->loops[i], s->shop, i, sockets[i], err);
            s->opened++;
        } else {
            close(sockets[i]);
        }
    }
    return rc;
}

static void run_loop(void *arg)
{
    struct runner *runner = arg;
    struct server *s = runner->server;
    loop_run(runner->loop);
    atomic_fetch_sub(&s->running, 1);
    uv_async_send(&s->ended);
}

/* A thread that cannot be started ends those that were. */
static int start_threads(struct server *s, struct runner *runners, struct error *err)
{
    for (; s->started < s->count; s->started++) {
        runners[s->started] = (struct runner){s, &s->loops[s->started]};
        atomic_fetch_add(&s->running, 1);
        if (uv_thread_create(&s->threads[s->started], run_loop, &runners[s->started]) == 0)
            continue;
        atomic_fetch_sub(&s->running, 1);
        command_all(s, LOOP_FORCE);
        return error_set(err, ERR_INTERNAL, "http: no thread for loop %u", s->started);
    }
    return 0;
}

static int announce(struct server *s, const struct listen_address *address, struct error *err)
{
    char text[64];
    listen_text(address, text);
    int rc = shop_describe(s->shop, text, err);
    if (rc == 0)
        log_info("serve.ready", "address=%s loops=%u version=%s", text, s->count,
                 basketd_version());
    return rc;
}

static void close_handle(uv_handle_t *handle, void *cls)
{
    (void)cls;
    uv_close(handle, NULL);
}

static int run(struct server *s, const struct listen_address *address, const int *sockets,
               struct runner *runners, struct error *err)
{
    if (uv_loop_init(&s->uv) != 0)
        return error_set(err, ERR_INTERNAL, "http: no event loop");
    int rc = open_loops(s, sockets, err);
    if (rc == 0)
        rc = watch(s, err);
    if (rc == 0)
        rc = announce(s, address, err);
    if (rc == 0)
        rc = start_threads(s, runners, err);
    if (s->started)
        uv_run(&s->uv, UV_RUN_DEFAULT);
    for (uint32_t i = 0; i < s->started; i++)
        uv_thread_join(&s->threads[i]);
    for (uint32_t i = 0; i < s->opened; i++)
        loop_close(&s->loops[i]);
    uv_walk(&s->uv, close_handle, NULL);
    uv_run(&s->uv, UV_RUN_DEFAULT);
    uv_loop_close(&s->uv);
    return rc;
}

int http_serve(struct shop *shop, struct error *err)
{
    struct server s = {.shop = shop, .count = shop->settings->loops};
    struct listen_address address;
    struct runner *runners = NULL;
    int *sockets = NULL;
    json_object_seed(0); /* before the first thread that parses */
    int rc = listen_parse(str_of(shop->settings->listen), &address, err);
    if (rc == 0)
        rc = check_access(shop, &address, err);
    if (rc != 0)
        return rc;
    if (MEM_ZNEW(s.loops, s.count) && MEM_ZNEW(s.threads, s.count) && MEM_NEW(sockets, s.count) &&
        MEM_NEW(runners, s.count))
        rc = listen_open(&address, s.count, sockets, err);
    else
        rc = error_set(err, ERR_NOMEM, "http: out of memory");
    if (rc == 0)
        rc = run(&s, &address, sockets, runners, err);
    free(runners);
    free(sockets);
    free(s.threads);
    free(s.loops);
    return rc;
}
