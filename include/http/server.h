/* The server: N event loops, each a libuv loop with its own libmicrohttpd daemon on the same
 * address.
 *
 * Runs until SIGTERM or SIGINT, then drains: /readyz turns 503, no new connections, requests in
 * flight are answered with Connection: close, at most settings.drain_timeout; a second signal ends
 * at once. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "service/shop.h"

/* On the main thread. ERR_INVALID: the address is malformed, or not loopback while no key is
 * configured and `insecure` is off; ERR_CONFLICT: the address is taken. */
int http_serve(struct shop *shop, struct error *err) WARN_UNUSED;

#endif
