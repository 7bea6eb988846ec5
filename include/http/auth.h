/* Keys: "Authorization: Bearer bk_…" or "X-API-Key: bk_…". */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "http/request.h"

/* 0 when the request's key opens its route; else 401 or 403, the answer being ready. */
int auth_check(struct request *r);

#endif
