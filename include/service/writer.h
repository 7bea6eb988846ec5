/* The one thread that writes orders.db. Waiting ops are committed together, up to about 10,000
 * records a transaction, each op in a savepoint; then apply, then done. A failed transaction
 * answers all of its ops with its error. Readers of the database never checkpoint: this thread
 * does. */
#ifndef SERVICE_WRITER_H
#define SERVICE_WRITER_H

#include "service/shop.h"

/* `db`: the writing connection, taken also on failure. No thread runs yet. */
struct writer *writer_new(struct shop *shop, struct db *db, struct error *err) WARN_UNUSED;
int writer_start(struct writer *w, struct error *err) WARN_UNUSED;
void writer_stop(struct writer *w); /* runs what waits, joins; NULL allowed */
void writer_free(struct writer *w);

int writer_submit(struct writer *w, struct op *op, bool urgent, struct error *err) WARN_UNUSED;

/* In an op's run: the connection and the items of the open transaction. */
struct db *writer_db(struct writer *w);
struct staging *writer_staging(struct writer *w);

/* store_writable, store_problem, writes_waiting. Any thread. */
void writer_health(struct writer *w, struct shop_health *out);
#endif
