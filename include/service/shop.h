/* The one object everything hangs from: settings, data directory, store, live model, jobs, metrics.
 * There is no other global state; one process could hold several.
 *
 * Threads: writer (owns orders.db's writing connection), reader (read-only connections, small
 * questions), import, train and keeper (jobs; serving only), and the callers (event loops, or a
 * command's main thread). */
#ifndef SERVICE_SHOP_H
#define SERVICE_SHOP_H

#include "data/catalog.h"
#include "engine/recommend.h"
#include "service/memory.h"
#include "service/op.h"
#include "service/settings.h"

#include <stdatomic.h>

struct access;
struct db;
struct jobs;
struct live;
struct lock;
struct metrics;
struct reader_thread;
struct writer;

struct shop {
    const struct settings *settings; /* borrowed */
    struct lock *lock;
    struct writer *writer;
    struct reader_thread *reader;
    struct db *models; /* models.db's writing connection; under models_mutex */
    pthread_mutex_t models_mutex;
    pthread_mutex_t publish_mutex; /* one model goes live at a time; taken before the other */
    struct catalog catalog;        /* these two: changed by the writer thread only, */
    struct memory memory;          /* … under memory_lock */
    pthread_rwlock_t memory_lock;  /* prefers writers */
    struct live *live;
    struct jobs *jobs; /* NULL in a command */
    struct access *access;
    struct metrics *metrics;
    atomic_bool draining;
    _Atomic int64_t damaged_model;
};

enum shop_mode {
    SHOP_SERVE,   /* everything: queued jobs run, automatic training, retention */
    SHOP_COMMAND, /* import, train, …: no jobs */
};

/* Takes the lock, opens and migrates both databases, loads catalogue, keys and the newest good
 * model, recovers jobs, starts the threads. Ready in < 1 s for 1e5 items. ERR_CONFLICT: another
 * process has the directory, or a newer schema. */
struct shop *shop_open(const struct settings *settings, enum shop_mode mode,
                       struct error *err) WARN_UNUSED;
/* Cancels jobs (they are resumed at the next start), finishes the waiting ops, ends the threads
 * within 5 s, closes everything. */
void shop_close(struct shop *shop);
/* Writes the address into the lock file, for the message a second process gives its user. */
int shop_describe(struct shop *shop, const char *address, struct error *err) WARN_UNUSED;

/* ERR_LIMIT: the queue is full (answer 503 with Retry-After). Any thread. A store that is not
 * writable still takes ops: each is tried and answered with its error. */
int shop_write(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
int shop_read(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
/* As shop_write, past the queue's maximum: for work that bounds itself. Not for requests. */
int shop_write_urgent(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
/* For commands and job threads: submits past the queue's maximum and waits; returns the op's
 * result. Uses op->done itself. Not from a loop. */
int shop_write_wait(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;
int shop_read_wait(struct shop *shop, struct op *op, struct error *err) WARN_UNUSED;

/* What /readyz?verbose shows; any thread. store_writable turns false with a failed commit and true
 * again with the next one that works; the writer tries by itself every second. */
struct shop_health {
    bool model_loaded, draining, store_writable;
    int64_t model_id;        /* 0: none */
    int64_t damaged_model;   /* a newer model than that, which did not load; 0: none */
    char store_problem[256]; /* "" or the last write error */
    uint32_t writes_waiting; /* ops in the writer's queue */
};
void shop_health(struct shop *shop, struct shop_health *out);
void shop_set_draining(struct shop *shop);

/* Copies orders.db to `file` and models.db to `file`.models, both new (ERR_CONFLICT: there is one).
 * Works beside a running server: it takes no lock, its connections are read-only and never
 * checkpoint. To restore, put the two back as orders.db and models.db of an empty directory. */
int shop_backup(const struct settings *settings, const char *file, struct error *err) WARN_UNUSED;

/* For the service floor: catalogue and keys as the database has them, histories begun anew
 * (start-up, or after a commit whose outcome is unknown). */
int shop_reload(struct shop *shop, struct db *db, struct error *err) WARN_UNUSED;
#endif
