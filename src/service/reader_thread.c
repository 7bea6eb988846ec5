/* A queue, two read-only connections and a loop. */
#include "service/reader_thread.h"

#include "base/mem.h"
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>

struct reader_thread {
    struct shop *shop;
    struct op_queue queue;
    struct db *orders, *models;
    pthread_t thread;
    bool started;
};

static struct db *open_read(struct shop *shop, const char *family, struct error *err)
{
    char path[sizeof shop->settings->data + 32];
    snprintf(path, sizeof path, "%s/%s.db", shop->settings->data, family);
    return db_open(path, family, DB_READ, err);
}

struct reader_thread *reader_thread_new(struct shop *shop, struct error *err)
{
    struct reader_thread *r;
    if (!MEM_ZNEW(r, 1)) {
        error_set(err, ERR_NOMEM, "reader thread: out of memory");
        return NULL;
    }
    if (op_queue_init(&r->queue, shop->settings->ingest_queue, err) != 0) {
        free(r);
        return NULL;
    }
    r->shop = shop;
    r->orders = open_read(shop, "orders", err);
    r->models = r->orders ? open_read(shop, "models", err) : NULL;
    if (r->models)
        return r;
    reader_thread_free(r);
    return NULL;
}

static void *serve(void *context)
{
    struct reader_thread *r = context;
    for (bool ended = false; !ended;) {
        struct op *next;
        for (struct op *op = op_queue_pop(&r->queue, 64, -1, &ended); op; op = next) {
            next = op->next;
            op->result = op->run(r->shop, op, &op->err);
            op->done(op);
        }
    }
    return NULL;
}

int reader_thread_start(struct reader_thread *r, struct error *err)
{
    if (pthread_create(&r->thread, NULL, serve, r) != 0)
        return error_set(err, ERR_NOMEM, "reader thread: cannot start");
    r->started = true;
    return 0;
}

void reader_thread_stop(struct reader_thread *r)
{
    if (!r || !r->started)
        return;
    op_queue_stop(&r->queue);
    pthread_join(r->thread, NULL);
    r->started = false;
}

void reader_thread_free(struct reader_thread *r)
{
    if (!r)
        return;
    db_close(r->models);
    db_close(r->orders);
    op_queue_deinit(&r->queue);
    free(r);
}

int reader_thread_submit(struct reader_thread *r, struct op *op, bool urgent, struct error *err)
{
    return op_queue_push(&r->queue, op, urgent, err);
}

struct db *reader_thread_orders(struct reader_thread *r)
{
    return r->orders;
}

struct db *reader_thread_models(struct reader_thread *r)
{
    return r->models;
}
