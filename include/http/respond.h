/* Answers. A handler appends the body to r->out and returns the status; errors become
 * application/problem+json (RFC 9457):
 *
 * {"type":"about:blank","title":"Bad Request","status":400,"detail":"…","instance":"/recommend",
 *  "request_id":"…","errors":[{"detail":"…","pointer":"/limit"}]}              errors: where known
 *
 * All return the status. */
#ifndef HTTP_RESPOND_H
#define HTTP_RESPOND_H

#include "http/request.h"

/* The one place that turns error codes into statuses. */
int respond_status(enum err code);
const char *respond_title(int status);

int respond_error(struct request *r, const struct error *err);
int respond_problem(struct request *r, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 400 with r->problems. */
int respond_problems(struct request *r);
/* `status` with err's text as the problem of one query parameter. */
int respond_parameter(struct request *r, int status, const char *name, const struct error *err);
/* A problem with more members, given as JSON text without the braces, which is copied. */
int respond_problem_with(struct request *r, int status, struct str members, const char *detail);

/* Another header field; `value` is copied to the arena unless static. */
void respond_field(struct request *r, const char *name, const char *value);
void respond_copied(struct request *r, const char *name, struct str value);
/* "Location: <prefix><number>". */
void respond_location(struct request *r, const char *prefix, int64_t number);

/* 200 with an entity tag over `bytes` (of r->out), or 304 when the client has that one. A weak tag
 * says: the same answer, though not the same bytes (request ids, ages). */
int respond_tagged(struct request *r, struct str bytes, bool weak);

/* {"request_id":… is not part of any: this is the whole body of a 200 with one text. */
int respond_text(struct request *r, int status, struct str text);

#endif
