/* Sockets, loops, signals. Every loop has its own listening socket on the same address
 * (SO_REUSEPORT), so that the kernel spreads connections and no lock is shared. */
#include "http/server.h"

#include "http_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

/* "host:port" or "[v6]:port"; the caller frees with freeaddrinfo. */
static int resolve(const char *listen_text, struct addrinfo **out, struct error *err)
{
    char host[128];
    const char *colon = strrchr(listen_text, ':');
    size_t length = colon ? (size_t)(colon - listen_text) : 0;
    bool bracketed = length >= 2 && listen_text[0] == '[' && listen_text[length - 1] == ']';
    if (!colon || length == 0 || length >= sizeof host)
        return error_set(err, ERR_INVALID, "server.listen: expected ADDRESS:PORT, got '%s'",
                         listen_text);
    memcpy(host, listen_text + bracketed, length - 2 * bracketed);
    host[length - 2 * bracketed] = '\0';
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int rc = getaddrinfo(host, colon + 1, &hints, out);
    if (rc != 0)
        return error_set(err, ERR_INVALID, "server.listen: '%s': %s", listen_text,
                         gai_strerror(rc));
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >>
                24) == 127;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(v6);
}

static int open_socket(const struct sockaddr *address, socklen_t size, bool shared, int *out,
                       struct error *err)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, ERR_IO, errno, "listening socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, address, size) != 0 || listen(fd, BACKLOG) != 0) {
        int number = errno;
        close(fd);
        return error_set_errno(err, number == EADDRINUSE ? ERR_CONFLICT : ERR_IO, number,
                               "server.listen: cannot listen there");
    }
    *out = fd;
    return 0;
}

/* With several loops the first socket is probed alone, so that a port another program has is
 * noticed. */
static int open_sockets(struct server *server, const struct addrinfo *found, struct error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t size = found->ai_addrlen;
    bool shared = server->loop_count > 1;
    int probe = -1;
    memcpy(&address, found->ai_addr, size);
    if (shared) {
        int rc = open_socket((struct sockaddr *)&address, size, false, &probe, err);
        if (rc)
            return rc;
        getsockname(probe, (struct sockaddr *)&address, &size);
        close(probe);
    }
    for (uint32_t i = 0; i < server->loop_count; i++) {
        int rc =
            open_socket((struct sockaddr *)&address, size, shared, &server->loops[i].socket, err);
        if (rc)
            return rc;
        getsockname(server->loops[i].socket, (struct sockaddr *)&address, &size);
    }
    return 0;
}

static int announce(struct server *server, struct error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char host[64], port[8], text[96];
    getsockname(server->loops[0].socket, (struct sockaddr *)&address, &size);
    if (getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return error_set(err, ERR_INTERNAL, "cannot name the address");
    snprintf(text, sizeof text, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    log_info("serve.ready", "address=%s loops=%u version=%s", text, server->loop_count,
             basketd_version());
    return shop_describe(server->shop, text, err);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    log_info("serve.signal", "signal=%d", number);
    if (++server->signals > 1)
        atomic_store(&server->forced, true);
    shop_set_draining(server->shop);
    for (uint32_t i = 0; i < server->loop_count; i++)
        loop_drain(&server->loops[i]);
}

static void *loop_main(void *context)
{
    loop_run(context);
    return NULL;
}

static int run_loops(struct server *server, struct error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    uv_signal_t signals[2];
    uint32_t started = 1;
    int rc = 0;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&server->loops[0].uv, &signals[i]);
        signals[i].data = server;
        uv_signal_start(&signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&signals[i]); /* does not keep the loop running */
    }
    for (; started < server->loop_count && rc == 0; started += rc == 0)
        rc = pthread_create(&server->loops[started].thread, NULL, loop_main,
                            &server->loops[started]);
    if (rc == 0)
        rc = announce(server, err);
    else
        rc = error_set_errno(err, ERR_INTERNAL, rc, "starting a loop");
    if (rc) {
        shop_set_draining(server->shop);
        for (uint32_t i = 0; i < started; i++)
            loop_drain(&server->loops[i]);
    }
    loop_run(&server->loops[0]);
    for (uint32_t i = 1; i < started; i++)
        pthread_join(server->loops[i].thread, NULL);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    uv_run(&server->loops[0].uv, UV_RUN_DEFAULT);
    return rc;
}

static int start_loops(struct server *server, struct error *err)
{
    const struct settings *s = server->shop->settings;
    struct addrinfo *found = NULL;
    int rc = resolve(s->listen, &found, err);
    if (rc == 0 && !s->insecure && !is_loopback(found->ai_addr) && !access_has_keys(server->shop))
        rc = error_set(err, ERR_INVALID,
                       "server.listen: %s can be reached from outside and there is no key; "
                       "`basketd key add --scopes read,ingest` makes one, --insecure does without",
                       s->listen);
    if (rc == 0)
        rc = open_sockets(server, found, err);
    if (found)
        freeaddrinfo(found);
    for (uint32_t i = 0; rc == 0 && i < server->loop_count; i++)
        rc = loop_init(&server->loops[i], err);
    return rc;
}

int http_serve(struct shop *shop, struct error *err)
{
    struct server server = {.shop = shop, .loop_count = shop->settings->loops};
    server.loops = mem_zarray(server.loop_count, sizeof *server.loops);
    if (!server.loops)
        return error_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < route_count; i++)
        server.route_names[i] = routes[i].pattern;
    for (uint32_t i = 0; i < server.loop_count; i++)
        server.loops[i] = (struct loop){.shop = shop, .server = &server, .index = i, .socket = -1};
    int rc = start_loops(&server, err);
    if (rc) { /* the process ends: what was opened goes with it */
        free(server.loops);
        return rc;
    }
    rc = run_loops(&server, err);
    for (uint32_t i = 0; i < server.loop_count; i++)
        loop_deinit(&server.loops[i]);
    free(server.loops);
    log_info("serve.end", "rc=%d", rc);
    return rc;
}
