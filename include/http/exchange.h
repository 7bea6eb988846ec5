/* libmicrohttpd's callbacks: from its connection to our request and back. All run on the loop's
 * thread, inside MHD_run. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "http/loop.h"

#include <microhttpd.h>

/* MHD_OPTION_URI_LOG_CALLBACK: makes the request of a new target. */
void *exchange_target(void *cls, const char *target, struct MHD_Connection *connection);
/* The access handler. */
enum MHD_Result exchange_access(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context);
/* MHD_OPTION_NOTIFY_COMPLETED and MHD_OPTION_NOTIFY_CONNECTION. */
void exchange_completed(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode how);
void exchange_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode what);

#endif
