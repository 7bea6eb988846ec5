/* A piece of work handed to a thread: run there, then `done` there. The writer thread runs many ops
 * in one transaction (group commit) and calls done only after the COMMIT; result and err then say
 * what became of it. The reader thread runs ops on its own read-only connections. An op that needs
 * more state embeds this struct as its first member. The submitter owns the memory and may free it
 * in or after done. */
#ifndef SERVICE_OP_H
#define SERVICE_OP_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>

struct shop;

struct op {
    /* In the worker thread. The writer wraps it in a savepoint: a failure undoes this op alone. */
    int (*run)(struct shop *shop, struct op *op, struct error *err);
    /* Writer only, optional: after a successful COMMIT, before done: change what is in memory. */
    void (*apply)(struct shop *shop, struct op *op);
    /* Writer only, optional: run was well but the transaction failed: undo what run did in memory.
     */
    void (*undo)(struct shop *shop, struct op *op);
    void (*done)(struct op *op); /* may hand over to another thread; op is not touched afterwards */
    uint32_t cost;               /* records in it: a transaction takes about 10,000 */
    bool scrub; /* writer: empty the write-ahead log before done, so that no old page is left */
    int result;
    struct error err;
    bool ran;             /* writer's: run was well */
    struct op *next;      /* the queue's */
    struct op_wait *wait; /* of shop_write_wait and shop_read_wait */
};

/* First in, first out, between any threads and one worker. */
struct op_queue {
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    struct op *head, *tail;
    uint32_t count, max; /* max 0: no maximum */
    bool stopping;
};

int op_queue_init(struct op_queue *q, uint32_t max, struct error *err) WARN_UNUSED;
void op_queue_deinit(struct op_queue *q);
/* ERR_LIMIT: `max` ops wait already (`urgent`: not looked at); ERR_NOT_READY: stopping. */
int op_queue_push(struct op_queue *q, struct op *op, bool urgent, struct error *err) WARN_UNUSED;
/* Waits for work and takes ops off the head until their cost reaches `cost`. An empty list: the
 * time is over (timeout_ms < 0: never), or stopping and nothing is left (then *ended). */
struct op *op_queue_pop(struct op_queue *q, uint32_t cost, int64_t timeout_ms, bool *ended);
void op_queue_stop(struct op_queue *q); /* waiting ops still run, new ones are refused */

#endif
