/* A piece of work handed to a thread: run there, then `done` there. The writer thread runs many ops
 * in one transaction (group commit) and calls done only after the COMMIT; result and err then say
 * what became of it. The reader thread runs ops on its own read-only connection. An op that needs
 * more state embeds this struct as its first member. The submitter owns the memory and may free it
 * in or after done. */
#ifndef SERVICE_OP_H
#define SERVICE_OP_H

#include "base/error.h"

struct shop;

struct op {
    /* In the worker thread. The writer wraps it in a savepoint: a failure undoes this op alone. */
    int (*run)(struct shop *shop, struct op *op, struct error *err);
    /* Writer only, optional: after a successful COMMIT, before done: change what is in memory. */
    void (*apply)(struct shop *shop, struct op *op);
    void (*done)(struct op *op); /* may hand over to another thread; op is not touched afterwards */
    uint32_t cost;               /* records in it: a transaction takes about 10,000 */
    int result;
    struct error err;
    struct op *next;
};
#endif
