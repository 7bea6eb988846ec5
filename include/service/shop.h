/* The one object everything hangs from: settings, data directory, store, live model, jobs, metrics.
 * There is no other global state; one process could hold several.
 *
 * Threads: writer (owns orders.db's writing connection), reader (read-only connection, small
 * questions), trainer and importer (jobs), and the callers (event loops, or a command's main
 * thread). */
#ifndef SERVICE_SHOP_H
#define SERVICE_SHOP_H

#include "data/catalog.h"
#include "engine/recommend.h"
#include "service/op.h"
#include "service/settings.h"

#include <pthread.h>

struct access;
struct jobs;
struct live;
struct metrics;
struct writer;
struct reader_thread;
struct db;
struct lock;

struct shop {
    const struct settings *settings; /* borrowed */
    struct lock *lock;
    struct writer *writer;
    struct reader_thread *reader;
    struct db *models; /* models.db's writing connection; under models_mutex */
    pthread_mutex_t models_mutex;
    struct catalog catalog;        /* changed by the writer thread only, under catalog_lock */
    pthread_rwlock_t catalog_lock; /* prefers writers */
    struct live *live;
    struct jobs *jobs;
    struct access *access;
    struct metrics *metrics;
};

enum shop_mode {
    SHOP_SERVE,   /* everything, automatic training included */
    SHOP_COMMAND, /* import, train, …: no automatic training */
};

/* Takes the lock, opens and migrates both databases, loads catalogue, keys and the newest good
 * model, recovers jobs, starts the threads. Ready in < 1 s for 1e5 items. ERR_CONFLICT: another
 * process has the directory, or a newer schema. */
struct shop *shop_open(const struct settings *settings, enum shop_mode mode,
                       struct error *err) WARN_UNUSED;
/* Cancels jobs (they are resumed at the next start), ends the threads within 5 s, closes
 * everything. */
void shop_close(struct shop *shop);

/* ERR_LIMIT: the queue is full (answer 503 with Retry-After). Any thread. */
int shop_write(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
int shop_read(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
/* For commands: submits and waits; returns the op's result. Not from a loop. */
int shop_write_wait(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
int shop_read_wait(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;

/* What /readyz?verbose shows; any thread. */
struct shop_health {
    bool model_loaded, draining, store_writable;
    int64_t model_id;        /* 0: none */
    int64_t damaged_model;   /* newest model that did not load; 0: none */
    char store_problem[256]; /* "" or the last write error */
};
void shop_health(struct shop *shop, struct shop_health *out);
void shop_set_draining(struct shop *shop);
#endif
