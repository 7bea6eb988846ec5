/* The thread that answers small questions from read-only connections to both databases, so that no
 * event loop ever waits for SQLite. Ops run one after the other; their writer-only fields are
 * ignored. */
#ifndef SERVICE_READER_THREAD_H
#define SERVICE_READER_THREAD_H

#include "service/shop.h"

struct reader_thread *reader_thread_new(struct shop *shop, struct error *err) WARN_UNUSED;
int reader_thread_start(struct reader_thread *r, struct error *err) WARN_UNUSED;
void reader_thread_stop(struct reader_thread *r); /* runs what waits, joins; NULL allowed */
void reader_thread_free(struct reader_thread *r);

int reader_thread_submit(struct reader_thread *r, struct op *op, bool urgent,
                         struct error *err) WARN_UNUSED;

/* In an op's run. */
struct db *reader_thread_orders(struct reader_thread *r);
struct db *reader_thread_models(struct reader_thread *r);
#endif
