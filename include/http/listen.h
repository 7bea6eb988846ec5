/* Listening sockets from "127.0.0.1:8080", "[::1]:0", "0.0.0.0:80". Numeric addresses only: a name
 * could mean another machine tomorrow. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/socket.h>

struct listen_address {
    struct sockaddr_storage at;
    socklen_t length;
};

/* ERR_INVALID. */
int listen_parse(struct str text, struct listen_address *out, struct error *err) WARN_UNUSED;
bool listen_is_loopback(const struct listen_address *address);
/* "127.0.0.1:8080", "[::1]:8080" */
void listen_text(const struct listen_address *address, char out[64]);

/* `count` sockets that share the address (SO_REUSEPORT when more than one); with port 0 the first
 * one's port is taken for all and set in *address. ERR_IO; none is open then. */
int listen_open(struct listen_address *address, uint32_t count, int *sockets,
                struct error *err) WARN_UNUSED;

#endif
