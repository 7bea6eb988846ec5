/* Answers as JSON text, written by hand: a tree of objects would cost more than the answer. The
 * caller holds what the texts are borrowed from (the catalogue's lock, the model). */
#ifndef HTTP_ENCODE_H
#define HTTP_ENCODE_H

#include "base/buf.h"
#include "engine/recommend.h"

/* "items" … "diagnostics":{"candidates":210,"filtered":{"in_stock":4} — all that depends on model,
 * catalogue and query only; the caller opens the object before and closes both after. */
void encode_answer(const struct model *m, const struct catalog *c, const struct query *q,
                   const struct answer *a, struct buf *out);
/* {"antecedent":["a"],"consequent":"b","count":412,"support":…,"confidence":…,"lift":…,
 *  "leverage":…,"conviction":…|null,"fisher_p":…,"improvement":…|null,"q":…|null}, with
 *  "confidence_low" behind "confidence" */
void encode_rule(const struct model *m, uint32_t rule, struct buf *out);
/* {"item_id":"a","title":…|null,"category":[…],"price":24.90|null,"stock":12|null,
 *  "available":true,"attributes":{…},"updated":"…"} */
void encode_item(const struct catalog_item *item, struct buf *out);
void encode_time(int64_t time_ms, struct buf *out); /* a quoted RFC 3339 time */

#endif
