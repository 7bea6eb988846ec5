/* A large body on its way to DIR/spool. Files are touched on uv's pool only; while a piece is being
 * written the request is suspended, so a fast sender is held back by the disk. */
#ifndef HTTP_SPOOL_H
#define HTTP_SPOOL_H

#include "http/request.h"

struct spool;

/* NULL: out of memory. `first`: bytes that came before, copied. */
struct spool *spool_new(struct request *r, struct str first) __attribute__((warn_unused_result));
/* GO_ON: taken; LATER: not yet, offer the piece again; or the status of a failure. */
int spool_feed(struct spool *s, struct str bytes);
/* Writes the rest and makes it durable, then goes on with `resume`. */
int spool_finish(struct spool *s, int (*resume)(struct request *r));
/* After spool_finish: 0, or the status of the failure. `name` out: for the import job. */
int spool_finished(struct spool *s, char name[64]);
void spool_keep(struct spool *s); /* the job owns the file now */
void spool_free(struct spool *s); /* drops the file unless kept; no write is under way */

#endif
