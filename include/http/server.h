/* The HTTP server: settings.loops event loops over one address, until SIGTERM or SIGINT.
 *
 * The first of these signals drains: /readyz turns 503, no new connections, answers close theirs,
 * requests in flight have settings.drain_timeout. A second one does not wait for clients any more.
 * SIGHUP is ignored. Logs event=serve.ready with the address (the real port where 0 was asked
 * for) and writes it into the lock file. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "service/shop.h"

/* Blocks; once in a process. `shop` is open for serving. ERR_INVALID: the
 * address, or one that is not loopback while no key is configured (settings.insecure allows it);
 * ERR_IO: the address is in use. */
int http_serve(struct shop *shop, struct error *err) WARN_UNUSED;

#endif
