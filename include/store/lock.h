/* DIR/basketd.lock: exactly one process owns a data directory (flock). The file says who: pid and,
 * once serving, the address, so that a second process can tell its user. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "base/error.h"

struct lock {
    int fd; /* -1: not held */
};

/* ERR_CONFLICT: "data directory X is in use by process 123, listening on 127.0.0.1:8080". Makes the
 * directory (0700) and spool/ inside when absent. */
int lock_open(struct lock *lock, const char *directory, struct error *err) WARN_UNUSED;
int lock_describe(struct lock *lock, const char *text, struct error *err) WARN_UNUSED;
void lock_close(struct lock *lock);

#endif
