/* Group commit. The thread takes all ops that wait, up to GROUP_COST records, and runs them in one
 * transaction: one sync for all of them. While it syncs, the next group gathers.
 *
 *     begin -> for each op: savepoint, run, write its items, release  (or undo this op alone)
 *           -> commit -> catalogue -> each op's apply -> checkpoint -> each op's done
 *
 * Two kinds of failure. An op that is wrong in itself (not found, conflict, …) is undone to its
 * savepoint and harms nobody. When the store fails (disk full, I/O, memory) SQLite may have rolled
 * back more than a savepoint, so the whole group is rolled back and each op is told. A failed
 * commit means "unknown": after anything but a full disk the connection is closed and opened again
 * (with its checks) and the catalogue is read anew, because the rows may be there all the same and
 * a failed sync must not be tried again.
 *
 * What was provisional is dropped with the group (service/staging): a rollback leaves no phantom.
 */
#include "service/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/metrics.h"
#include "service/staging.h"
#include "store/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_COST    10000u
#define WAL_BYTES     (16u << 20) /* then a checkpoint copies it into the database */
#define TRY_AGAIN_MS  1000
#define ROOM_TO_WRITE (16u << 20)

struct writer {
    struct shop *shop;
    struct op_queue queue;
    struct db *db; /* NULL: to be opened again */
    struct staging *staging;
    bool reload;       /* the catalogue may differ from the database */
    bool scrub_wanted; /* the log could not be emptied yet */

    pthread_mutex_t health_mutex;
    bool writable;
    enum err trouble; /* of the last failure */
    char problem[256];

    pthread_t thread; /* the opener's */
    bool started;
};

static void set_failed(struct writer *w, const struct error *err)
{
    pthread_mutex_lock(&w->health_mutex);
    bool first = w->writable;
    w->writable = false;
    w->trouble = err->code;
    snprintf(w->problem, sizeof w->problem, "%s", err->text);
    pthread_mutex_unlock(&w->health_mutex);
    metrics_commit_failed(w->shop);
    if (first)
        log_error("store.not_writable", "error=%s", log_text(err->text, (struct log_quoted[1]){0}));
}

static void set_writable(struct writer *w)
{
    pthread_mutex_lock(&w->health_mutex);
    bool first = !w->writable;
    w->writable = true;
    w->trouble = OK;
    w->problem[0] = '\0';
    pthread_mutex_unlock(&w->health_mutex);
    if (first)
        log_info("store.writable", "again=true");
}

/* Errors of the store itself, after which nothing is known of the transaction. */
static bool is_store_failure(int code)
{
    switch (code) {
    case ERR_NOMEM:
    case ERR_CORRUPT:
    case ERR_IO:
    case ERR_DB:
    case ERR_FULL:
    case ERR_INTERNAL:
        return true;
    default:
        return false;
    }
}

/* Open and in step with the database, whatever happened before. */
static int ensure_ready(struct writer *w, struct error *err)
{
    if (!w->db) {
        char path[sizeof w->shop->settings->data + 16];
        snprintf(path, sizeof path, "%s/orders.db", w->shop->settings->data);
        w->db = db_open(path, "orders", DB_WRITE, err);
        w->reload = true;
    }
    if (!w->db)
        return err->code;
    if (!w->reload)
        return 0;
    int rc = shop_reload(w->shop, w->db, err);
    w->reload = rc != 0;
    return rc;
}

static void undo_op(struct writer *w, struct op *op)
{
    if (op->ran && op->undo)
        op->undo(w->shop, op);
    op->ran = false;
}

/* One op in its savepoint. A logical failure is the op's own; a store failure is returned. */
static int run_op(struct writer *w, struct op *op, struct error *err)
{
    int rc = db_savepoint(w->db, err);
    if (rc != 0)
        return rc;
    staging_mark(w->staging);
    op->result = op->run(w->shop, op, &op->err);
    op->ran = op->result == 0;
    if (op->ran)
        op->result = staging_flush(w->staging, w->db, &op->err);
    if (op->result == 0)
        op->result = db_release(w->db, &op->err);
    if (op->result == 0)
        return 0;
    if (is_store_failure(op->result)) {
        *err = op->err;
        return op->result;
    }
    staging_undo(w->staging);
    db_undo(w->db);
    undo_op(w, op);
    return 0;
}

static int run_group(struct writer *w, struct op *ops, struct error *err)
{
    int rc = ensure_ready(w, err);
    if (rc == 0)
        rc = db_begin(w->db, err);
    for (struct op *op = ops; op && rc == 0; op = op->next)
        rc = run_op(w, op, err);
    return rc == 0 ? db_commit(w->db, err) : rc;
}

static void roll_back(struct writer *w, struct op *ops, const struct error *err)
{
    staging_discard(w->staging);
    if (w->db)
        db_rollback(w->db);
    if (err->code != ERR_FULL && err->code != ERR_NOMEM) {
        db_close(w->db);
        w->db = NULL;
    }
    for (struct op *op = ops; op; op = op->next) {
        if (op->result != 0 && !is_store_failure(op->result))
            continue; /* wrong in itself */
        undo_op(w, op);
        op->result = err->code;
        op->err = *err;
    }
    set_failed(w, err);
}

static void checkpoint(struct writer *w, bool scrub)
{
    struct error err = ERROR_INIT;
    w->scrub_wanted = w->scrub_wanted || scrub;
    if (db_checkpoint(w->db, w->scrub_wanted ? 0 : WAL_BYTES, w->scrub_wanted, &err) != 0)
        log_warn("store.checkpoint", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
    if (w->scrub_wanted)
        w->scrub_wanted = !db_wal_empty(w->db);
}

static void take_effect(struct writer *w, struct op *ops)
{
    bool scrub = false;
    struct error err = ERROR_INIT;
    if (staging_apply(w->staging, &err) != 0) {
        log_error("catalogue.reload", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
        w->reload = true;
    }
    for (struct op *op = ops; op; op = op->next) {
        if (op->result == 0 && op->apply)
            op->apply(w->shop, op);
        scrub = scrub || (op->result == 0 && op->scrub);
    }
    set_writable(w);
    checkpoint(w, scrub);
}

static void handle_group(struct writer *w, struct op *ops)
{
    struct error err = ERROR_INIT;
    uint64_t start_ns = clock_mono_ns();
    uint32_t count = 0;
    for (struct op *op = ops; op; op = op->next)
        count++;
    if (run_group(w, ops, &err) == 0) {
        metrics_commit(w->shop, clock_mono_ns() - start_ns, count);
        take_effect(w, ops);
    } else {
        roll_back(w, ops, &err);
    }
    for (struct op *op = ops, *next; op; op = next) {
        next = op->next;
        op->done(op);
    }
}

/* Nothing waits: finish what could not be done before. */
static void try_again(struct writer *w)
{
    struct error err = ERROR_INIT;
    if (!w->writable) {
        bool full =
            w->trouble == ERR_FULL && db_free_bytes(w->shop->settings->data) < ROOM_TO_WRITE;
        if (!full && ensure_ready(w, &err) == 0)
            set_writable(w);
    }
    if (w->db && w->scrub_wanted)
        checkpoint(w, true);
}

static void *write_ops(void *context)
{
    struct writer *w = context;
    for (bool ended = false; !ended;) {
        bool trouble = !w->writable || w->scrub_wanted || w->reload;
        struct op *ops = op_queue_pop(&w->queue, GROUP_COST, trouble ? TRY_AGAIN_MS : -1, &ended);
        if (ops)
            handle_group(w, ops);
        else if (!ended)
            try_again(w);
    }
    if (w->db)
        checkpoint(w, true);
    return NULL;
}

struct writer *writer_new(struct shop *shop, struct db *db, struct error *err)
{
    struct writer *w;
    if (!MEM_ZNEW(w, 1)) {
        db_close(db);
        error_set(err, ERR_NOMEM, "writer: out of memory");
        return NULL;
    }
    w->shop = shop;
    w->db = db;
    w->writable = true;
    w->staging = staging_new(&shop->catalog, &shop->memory_lock, err);
    if (!w->staging || op_queue_init(&w->queue, shop->settings->ingest_queue, err) != 0) {
        staging_free(w->staging);
        db_close(db);
        free(w);
        return NULL;
    }
    pthread_mutex_init(&w->health_mutex, NULL);
    return w;
}

int writer_start(struct writer *w, struct error *err)
{
    w->started = pthread_create(&w->thread, NULL, write_ops, w) == 0;
    return w->started ? 0 : error_set(err, ERR_NOMEM, "writer: cannot start its thread");
}

void writer_stop(struct writer *w)
{
    if (!w || !w->started)
        return;
    op_queue_stop(&w->queue);
    pthread_join(w->thread, NULL);
    w->started = false;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    db_close(w->db);
    staging_free(w->staging);
    op_queue_deinit(&w->queue);
    pthread_mutex_destroy(&w->health_mutex);
    free(w);
}

int writer_submit(struct writer *w, struct op *op, bool urgent, struct error *err)
{
    return op_queue_push(&w->queue, op, urgent, err);
}

struct db *writer_db(struct writer *w)
{
    return w->db;
}

struct staging *writer_staging(struct writer *w)
{
    return w->staging;
}

void writer_health(struct writer *w, struct shop_health *out)
{
    pthread_mutex_lock(&w->health_mutex);
    out->store_writable = w->writable;
    memcpy(out->store_problem, w->problem, sizeof out->store_problem);
    pthread_mutex_unlock(&w->health_mutex);
    pthread_mutex_lock(&w->queue.mutex);
    out->writes_waiting = w->queue.count;
    pthread_mutex_unlock(&w->queue.mutex);
}
