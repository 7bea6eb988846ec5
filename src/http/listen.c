/* SO_REUSEPORT would also let a second program of the same user share the port unnoticed, so it is
 * set only when there are several loops, and after a plain bind showed that the port is free. */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

static bool parse_host(struct str host, uint16_t port, struct listen_address *out)
{
    char text[64];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at;
    bool brackets = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets)
        host = (struct str){host.ptr + 1, host.len - 2};
    if (str_eq(host, STR("localhost")))
        host = STR("127.0.0.1");
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    memset(out, 0, sizeof *out);
    if (brackets) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->length = sizeof *v6;
        return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out->length = sizeof *v4;
    return inet_pton(AF_INET, text, &v4->sin_addr) == 1;
}

int listen_parse(struct str text, struct listen_address *out, struct error *err)
{
    uint64_t port;
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon > 0 && str_to_u64((struct str){text.ptr + colon, text.len - colon}, &port) &&
        port <= UINT16_MAX && parse_host((struct str){text.ptr, colon - 1}, (uint16_t)port, out))
        return 0;
    return error_set(err, ERR_INVALID,
                     "server.listen: expected ADDRESS:PORT such as 127.0.0.1:8080 or [::1]:8080, "
                     "got '%.*s'",
                     STR_ARG(text));
}

bool listen_is_loopback(const struct listen_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
    if (address->at.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

void listen_text(const struct listen_address *address, char out[64])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
    bool old = address->at.ss_family == AF_INET;
    inet_ntop(address->at.ss_family,
              old ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, host, sizeof host);
    snprintf(out, 64, old ? "%s:%u" : "[%s]:%u", host, ntohs(old ? v4->sin_port : v6->sin6_port));
}

static int fail(struct listen_address *address, const char *what, struct error *err)
{
    int number = errno;
    char text[64];
    listen_text(address, text);
    return error_set_errno(err, ERR_IO, number, "server.listen: %s %s", what, text);
}

/* A bound socket; -1 and err. */
static int open_bound(struct listen_address *address, bool shared, struct error *err)
{
    int on = 1;
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail(address, "no socket for", err);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address->at, address->length) != 0) {
        fail(address, "cannot bind", err);
        close(fd);
        return -1;
    }
    return fd;
}

static int open_one(struct listen_address *address, bool shared, struct error *err)
{
    int fd = open_bound(address, shared, err);
    if (fd < 0)
        return -1;
    if (listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&address->at, &address->length) == 0)
        return fd;
    fail(address, "cannot listen on", err);
    close(fd);
    return -1;
}

int listen_open(struct listen_address *address, uint32_t count, int *sockets, struct error *err)
{
    if (count > 1) {
        int probe = open_bound(address, false, err);
        if (probe < 0)
            return ERR_IO;
        close(probe);
    }
    for (uint32_t i = 0; i < count; i++) {
        sockets[i] = open_one(address, count > 1, err);
        if (sockets[i] >= 0)
            continue;
        while (i-- > 0)
            close(sockets[i]);
        return ERR_IO;
    }
    return 0;
}
