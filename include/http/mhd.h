/* libmicrohttpd, loaded when a server starts and not with the program: gnutls and eight more
 * libraries come with it, 1.1 ms and 3 MB that the other commands need not pay. Any thread. */
#ifndef HTTP_MHD_H
#define HTTP_MHD_H

#include "base/error.h"

#include <microhttpd.h>

#define MHD_FUNCTIONS(X)                                                                           \
    X(add_response_header)                                                                         \
    X(create_response_from_buffer)                                                                 \
    X(destroy_response)                                                                            \
    X(get_connection_info)                                                                         \
    X(get_connection_values_n)                                                                     \
    X(get_daemon_info)                                                                             \
    X(get_timeout)                                                                                 \
    X(get_version)                                                                                 \
    X(queue_response)                                                                              \
    X(quiesce_daemon)                                                                              \
    X(resume_connection)                                                                           \
    X(run)                                                                                         \
    X(start_daemon)                                                                                \
    X(stop_daemon)                                                                                 \
    X(suspend_connection)

struct mhd {
#define X(name) __typeof__(MHD_##name) *name;
    MHD_FUNCTIONS(X)
#undef X
};

/* ERR_NOT_FOUND: it is not installed, or lacks a function. It stays loaded. */
int mhd_load(struct mhd *out, struct error *err) WARN_UNUSED;

#endif
