/* Opening and closing, in an order that makes every part find what it needs:
 *
 *     lock -> models.db -> orders.db -> catalogue and keys -> live model -> memory
 *          -> jobs (recovered) -> writer, reader -> job threads
 *
 * and closing the other way round: jobs are cancelled first (their last state changes still go
 * through the writer), then the waiting ops are finished. */
#include "service/shop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/access.h"
#include "service/jobs.h"
#include "service/live.h"
#include "service/metrics.h"
#include "service/reader_thread.h"
#include "service/trainer.h"
#include "service/writer.h"
#include "store/items.h"
#include "store/lock.h"
#include "store/models.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOADING_NS 200000000u /* a start may take for histories and fresh orders */

/* Constructors give NULL and `err`; a caller without one gets a general code. */
static int code_of(const struct error *err)
{
    return err && err->code ? (int)err->code : ERR_DB;
}

static struct db *open_db(const struct settings *settings, const char *family, enum db_mode mode,
                          struct error *err)
{
    char path[sizeof settings->data + 32];
    snprintf(path, sizeof path, "%s/%s.db", settings->data, family);
    return db_open(path, family, mode, err);
}

static int load_item(void *context, const struct item_row *row, struct error *err)
{
    struct catalog *fresh = context;
    struct catalog_item item = {.item_id = row->item_id,
                                .title = row->title,
                                .category = row->category,
                                .attributes = row->attributes,
                                .price_minor = row->price_minor,
                                .stock = row->stock,
                                .updated_ms = row->updated_ms,
                                .order_ms = row->order_ms,
                                .described = row->described,
                                .available = row->available};
    int rc = catalog_put(fresh, row->key, &item, err);
    if (rc == 0 && row->deleted)
        catalog_remove(fresh, row->key);
    return rc;
}

int shop_reload(struct shop *shop, struct db *db, struct error *err)
{
    struct catalog fresh;
    int rc = catalog_init(&fresh, err);
    if (rc != 0)
        return rc;
    rc = items_scan(db, load_item, &fresh, err);
    if (rc == 0)
        rc = access_load(shop->access, db, err);
    if (rc == 0) {
        pthread_rwlock_wrlock(&shop->memory_lock);
        struct catalog old = shop->catalog;
        shop->catalog = fresh;
        fresh = old;
        pthread_rwlock_unlock(&shop->memory_lock);
    }
    catalog_deinit(&fresh);
    if (rc == 0)
        memory_restart(shop);
    return rc;
}

static int init_locks(struct shop *shop, struct error *err)
{
    pthread_rwlockattr_t attributes;
    if (pthread_rwlockattr_init(&attributes) != 0)
        return error_set(err, ERR_NOMEM, "shop: out of memory");
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&shop->memory_lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&shop->models_mutex, NULL);
    pthread_mutex_init(&shop->publish_mutex, NULL);
    return catalog_init(&shop->catalog, err);
}

static int open_lock(struct shop *shop, struct error *err)
{
    struct lock *lock;
    if (!MEM_NEW(lock, 1))
        return error_set(err, ERR_NOMEM, "shop: out of memory");
    lock->fd = -1;
    int rc = lock_open(lock, shop->settings->data, err);
    if (rc != 0) {
        free(lock);
        return rc;
    }
    shop->lock = lock;
    return 0;
}

/* Puts the file and its log out of the way as NAME.damaged. */
static int put_aside(const char *path, struct error *err)
{
    static const char *const suffixes[] = {"", "-wal"};
    char from[4400], to[4400];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        snprintf(to, sizeof to, "%s.damaged%s", path, suffixes[i]);
        unlink(to);
        if (rename(from, to) != 0 && errno != ENOENT)
            return error_set_errno(err, ERR_IO, errno, "%s", from);
    }
    snprintf(from, sizeof from, "%s-shm", path);
    unlink(from);
    return 0;
}

/* Models can be made again, so a damaged file of them must not keep the shop shut: what can be read
 * goes to a new one. */
static int open_models(struct shop *shop, struct error *err)
{
    struct error problem = ERROR_INIT;
    shop->models = open_db(shop->settings, "models", DB_WRITE, &problem);
    if (shop->models)
        return 0;
    if (problem.code != ERR_CORRUPT)
        return error_set(err, problem.code, "%s", problem.text);
    log_error("models.damaged", "error=%s", log_text(problem.text, (struct log_quoted[1]){0}));
    char path[4200], damaged[4300];
    snprintf(path, sizeof path, "%s/models.db", shop->settings->data);
    snprintf(damaged, sizeof damaged, "%s.damaged", path);
    int rc = put_aside(path, err);
    if (rc != 0)
        return rc;
    if (!(shop->models = open_db(shop->settings, "models", DB_WRITE, err)))
        return code_of(err);
    uint32_t copied = 0;
    error_clear(&problem);
    if (models_salvage(shop->models, damaged, &copied, &problem) != 0)
        log_warn("models.salvage", "error=%s", log_text(problem.text, (struct log_quoted[1]){0}));
    log_warn("models.salvaged", "models=%u", copied);
    return 0;
}

/* A shop without a good model opens all the same: it says so, and a training gives it one. */
static int load_model(struct shop *shop, struct error *err)
{
    struct error local = ERROR_INIT;
    int rc = train_load_live(shop, &local);
    if (rc == 0 || rc == ERR_NOT_FOUND)
        return 0;
    return error_set(err, local.code, "%s", local.text);
}

/* That of a small shop is there at once; the keeper loads the rest of others. */
static int load_memory(struct shop *shop, struct db *orders, struct error *err)
{
    uint64_t end_ns = clock_mono_ns() + LOADING_NS;
    struct model *model = live_ref(shop->live);
    int rc = 0;
    if (shop->memory.kept && model)
        rc = memory_begin_overlay(shop, model, err);
    model_unref(model);
    while (rc == 0 && shop->memory.kept && !shop->memory.complete && clock_mono_ns() < end_ns)
        rc = memory_load_some(shop, orders, err);
    return rc;
}

static int open_store(struct shop *shop, enum shop_mode mode, struct error *err)
{
    int rc = 0;
    struct db *orders = open_db(shop->settings, "orders", DB_WRITE, err);
    if (!orders)
        return code_of(err);
    rc = shop_reload(shop, orders, err);
    if (rc == 0)
        rc = load_model(shop, err);
    if (rc == 0)
        rc = load_memory(shop, orders, err);
    if (rc == 0 && mode == SHOP_SERVE && !(shop->jobs = jobs_new(shop, orders, err)))
        rc = code_of(err);
    if (rc != 0) {
        db_close(orders);
        return rc;
    }
    shop->writer = writer_new(shop, orders, err);
    return shop->writer ? 0 : code_of(err);
}

static int start_threads(struct shop *shop, struct error *err)
{
    if (!(shop->reader = reader_thread_new(shop, err)))
        return code_of(err);
    int rc = writer_start(shop->writer, err);
    if (rc == 0)
        rc = reader_thread_start(shop->reader, err);
    if (rc == 0 && shop->jobs)
        rc = jobs_start(shop->jobs, err);
    return rc;
}

struct shop *shop_open(const struct settings *settings, enum shop_mode mode, struct error *err)
{
    struct shop *shop;
    if (!MEM_ZNEW(shop, 1)) {
        error_set(err, ERR_NOMEM, "shop: out of memory");
        return NULL;
    }
    shop->settings = settings;
    memory_init(&shop->memory, mode == SHOP_SERVE);
    int rc = init_locks(shop, err);
    if (rc == 0)
        rc = open_lock(shop, err);
    if (rc == 0 && (!(shop->metrics = metrics_new(err)) || !(shop->live = live_new(err)) ||
                    !(shop->access = access_new(err))))
        rc = code_of(err);
    if (rc == 0)
        rc = open_models(shop, err);
    if (rc == 0)
        rc = open_store(shop, mode, err);
    if (rc == 0)
        rc = start_threads(shop, err);
    if (rc == 0)
        return shop;
    shop_close(shop);
    return NULL;
}

void shop_close(struct shop *shop)
{
    if (!shop)
        return;
    if (shop->jobs)
        jobs_stop(shop->jobs);
    reader_thread_stop(shop->reader);
    writer_stop(shop->writer);
    jobs_free(shop->jobs);
    reader_thread_free(shop->reader);
    writer_free(shop->writer);
    db_close(shop->models);
    live_free(shop->live);
    access_free(shop->access);
    metrics_free(shop->metrics);
    catalog_deinit(&shop->catalog);
    memory_deinit(&shop->memory);
    pthread_rwlock_destroy(&shop->memory_lock);
    pthread_mutex_destroy(&shop->models_mutex);
    pthread_mutex_destroy(&shop->publish_mutex);
    if (shop->lock)
        lock_close(shop->lock);
    free(shop->lock);
    free(shop);
}

int shop_describe(struct shop *shop, const char *address, struct error *err)
{
    return lock_describe(shop->lock, address, err);
}

int shop_write(struct shop *shop, struct op *op, struct error *err)
{
    return writer_submit(shop->writer, op, false, err);
}

int shop_write_urgent(struct shop *shop, struct op *op, struct error *err)
{
    return writer_submit(shop->writer, op, true, err);
}

int shop_read(struct shop *shop, struct op *op, struct error *err)
{
    return reader_thread_submit(shop->reader, op, false, err);
}

struct op_wait {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool over;
};

static void end_wait(struct op *op)
{
    struct op_wait *wait = op->wait;
    pthread_mutex_lock(&wait->mutex);
    wait->over = true;
    pthread_cond_signal(&wait->changed);
    pthread_mutex_unlock(&wait->mutex);
}

static int wait_for(struct op *op, int submitted, struct op_wait *wait, struct error *err)
{
    pthread_mutex_lock(&wait->mutex);
    while (submitted == 0 && !wait->over)
        pthread_cond_wait(&wait->changed, &wait->mutex);
    pthread_mutex_unlock(&wait->mutex);
    pthread_cond_destroy(&wait->changed);
    pthread_mutex_destroy(&wait->mutex);
    if (submitted != 0)
        return submitted;
    if (op->result != 0)
        error_set(err, (enum err)op->result, "%s", op->err.text);
    return op->result;
}

int shop_write_wait(struct shop *shop, struct op *op, struct error *err)
{
    struct op_wait wait = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    op->done = end_wait;
    op->wait = &wait;
    return wait_for(op, writer_submit(shop->writer, op, true, err), &wait, err);
}

int shop_read_wait(struct shop *shop, struct op *op, struct error *err)
{
    struct op_wait wait = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    op->done = end_wait;
    op->wait = &wait;
    return wait_for(op, reader_thread_submit(shop->reader, op, true, err), &wait, err);
}

void shop_health(struct shop *shop, struct shop_health *out)
{
    memset(out, 0, sizeof *out);
    struct model *model = live_ref(shop->live);
    out->model_loaded = model != NULL;
    out->model_id = model ? model->id : 0;
    model_unref(model);
    out->draining = atomic_load(&shop->draining);
    int64_t damaged = atomic_load(&shop->damaged_model);
    out->damaged_model = damaged > out->model_id ? damaged : 0;
    writer_health(shop->writer, out);
}

void shop_set_draining(struct shop *shop)
{
    atomic_store(&shop->draining, true);
}

static int backup_one(const struct settings *settings, const char *family, const char *file,
                      struct error *err)
{
    struct db *db = open_db(settings, family, DB_READ, err);
    if (!db)
        return code_of(err);
    int rc = db_backup(db, file, err);
    db_close(db);
    return rc;
}

int shop_backup(const struct settings *settings, const char *file, struct error *err)
{
    char models[4096];
    int length = snprintf(models, sizeof models, "%s.models", file);
    if (length < 0 || (size_t)length >= sizeof models)
        return error_set(err, ERR_INVALID, "backup: the file name is too long");
    int rc = backup_one(settings, "orders", file, err);
    if (rc != 0)
        return rc;
    rc = backup_one(settings, "models", models, err);
    if (rc != 0)
        unlink(file); /* both or none */
    return rc;
}
