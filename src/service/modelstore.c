/* The model knows its parts, the store knows chunks and checksums; here one is plugged into the
 * other. Writing takes the mutex per part, so that marking a model live or damaged waits for one
 * part at most, never for a whole model. Reading uses a connection of the caller's. */
#include "service/modelstore.h"

#include "base/log.h"
#include "service/live.h"
#include "service/metrics.h"
#include "service/reader_thread.h"
#include "service/trainer.h"
#include "store/models.h"

#include <assert.h>
#include <string.h>

struct writing {
    struct shop *shop;
    struct progress *progress;
    int64_t id;
};

static int put_part(void *context, const char *part, const void *bytes, uint64_t count,
                    struct error *err)
{
    struct writing *w = context;
    if (progress_step(w->progress, count))
        return error_set(err, ERR_CANCELLED, "training was cancelled");
    pthread_mutex_lock(&w->shop->models_mutex);
    int rc = models_write(w->shop->models, w->id, part, bytes, count, err);
    pthread_mutex_unlock(&w->shop->models_mutex);
    return rc;
}

int modelstore_write(struct shop *shop, const struct model *model, struct str parameters,
                     struct progress *progress, int64_t *id, struct error *err)
{
    struct writing writing = {.shop = shop, .progress = progress};
    progress_begin(progress, "writing the model", model_bytes(model));
    pthread_mutex_lock(&shop->models_mutex);
    int rc = models_begin(shop->models, model->created_ms, parameters, &writing.id, err);
    pthread_mutex_unlock(&shop->models_mutex);
    if (rc != 0)
        return rc;
    *id = writing.id;
    struct model_sink sink = {.context = &writing, .put = put_part};
    return model_save(model, &sink, err);
}

int modelstore_finish(struct shop *shop, int64_t id, struct str report, struct error *err)
{
    pthread_mutex_lock(&shop->models_mutex);
    int rc = models_finish(shop->models, id, report, err);
    pthread_mutex_unlock(&shop->models_mutex);
    return rc;
}

void modelstore_abandon(struct shop *shop, int64_t id)
{
    pthread_mutex_lock(&shop->models_mutex);
    models_abandon(shop->models, id);
    pthread_mutex_unlock(&shop->models_mutex);
}

struct reading {
    struct db *db;
    int64_t id, created_ms;
};

static int part_size(void *context, const char *part, uint64_t *bytes, struct error *err)
{
    struct reading *r = context;
    return models_part_bytes(r->db, r->id, part, bytes, err);
}

static int read_part(void *context, const char *part, void *into, uint64_t bytes, struct error *err)
{
    struct reading *r = context;
    return models_read(r->db, r->id, part, into, bytes, err);
}

static int take_created(void *context, const struct model_row *row, struct error *err)
{
    (void)err;
    ((struct reading *)context)->created_ms = row->created_ms;
    return 0;
}

static void report_damaged(struct shop *shop, struct db *db, int64_t id, const struct error *err)
{
    log_error("model.damaged", "model=%lld error=%s", (long long)id,
              log_text(err->text, (struct log_quoted[1]){0}));
    metrics_model_load_failed(shop);
    struct error local = ERROR_INIT;
    bool own = db == shop->models; /* then the caller holds the mutex */
    if (!own)
        pthread_mutex_lock(&shop->models_mutex);
    if (models_mark_damaged(shop->models, id, &local) != 0)
        log_warn("model.mark", "model=%lld error=%s", (long long)id,
                 log_text(local.text, (struct log_quoted[1]){0}));
    if (!own)
        pthread_mutex_unlock(&shop->models_mutex);
    if (atomic_load(&shop->damaged_model) < id)
        atomic_store(&shop->damaged_model, id);
}

struct model *modelstore_load(struct shop *shop, struct db *db, int64_t id, struct error *err)
{
    struct reading reading = {.db = db, .id = id};
    struct error local = ERROR_INIT;
    struct model *model = NULL;
    if (models_get(db, id, take_created, &reading, &local) == 0) {
        struct model_source source = {.context = &reading, .size = part_size, .read = read_part};
        model = model_load(&source, &local);
    }
    if (model) {
        model->id = id;
        model->created_ms = reading.created_ms;
        return model;
    }
    if (local.code == ERR_CORRUPT)
        report_damaged(shop, db, id, &local);
    error_set(err, local.code, "%s", local.text);
    return NULL;
}

int modelstore_make_live(struct shop *shop, struct model *model, struct error *err)
{
    pthread_mutex_lock(&shop->publish_mutex);
    memory_prepare(shop, model);
    pthread_mutex_lock(&shop->models_mutex);
    int rc = models_set_live(shop->models, model->id, err);
    pthread_mutex_unlock(&shop->models_mutex);
    if (rc == 0)
        rc = live_publish(shop->live, model, err);
    else
        model_unref(model);
    pthread_mutex_unlock(&shop->publish_mutex);
    return rc;
}

int modelstore_prune(struct shop *shop, struct error *err)
{
    pthread_mutex_lock(&shop->models_mutex);
    int rc = models_prune(shop->models, shop->settings->keep_models, err);
    if (rc == 0)
        rc = db_checkpoint(shop->models, 0, true, err);
    pthread_mutex_unlock(&shop->models_mutex);
    return rc;
}

/* Start-up. */

#define CANDIDATES_MAX 64

struct stored_models {
    int64_t ids[CANDIDATES_MAX];
    uint32_t count;
    int64_t damaged; /* the newest one known to be; 0: none */
};

static int add_candidate(void *context, const struct model_row *row, struct error *err)
{
    (void)err;
    struct stored_models *c = context;
    if (row->damaged && row->id > c->damaged)
        c->damaged = row->id;
    if (!row->damaged && c->count < CANDIDATES_MAX)
        c->ids[c->count++] = row->id;
    return 0;
}

static void move_to_front(struct stored_models *c, int64_t id)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->ids[i] != id)
            continue;
        memmove(c->ids + 1, c->ids, i * sizeof *c->ids);
        c->ids[0] = id;
    }
}

int train_load_live(struct shop *shop, struct error *err)
{
    int64_t live;
    struct stored_models candidates = {.count = 0};
    int rc = models_live(shop->models, &live, err);
    if (rc == 0)
        rc = models_list(shop->models, add_candidate, &candidates, err);
    if (rc != 0)
        return rc;
    atomic_store(&shop->damaged_model, candidates.damaged);
    move_to_front(&candidates, live);
    for (uint32_t i = 0; i < candidates.count; i++) {
        struct error local = ERROR_INIT;
        struct model *model = modelstore_load(shop, shop->models, candidates.ids[i], &local);
        if (!model && local.code != ERR_CORRUPT && local.code != ERR_NOT_FOUND)
            return error_set(err, local.code, "%s", local.text);
        if (!model)
            continue;
        if (model->id == live)
            return live_publish(shop->live, model, err);
        log_warn("model.fallback", "model=%lld instead_of=%lld", (long long)model->id,
                 (long long)live);
        return modelstore_make_live(shop, model, err);
    }
    return error_set(err, ERR_NOT_FOUND, "there is no model that loads");
}

/* GET /models, PUT /models/live. */

static void model_json(const struct model_row *row, struct buf *out)
{
    char created[25];
    time_ms_format(row->created_ms, created);
    buf_printf(out, "{\"id\":%lld,\"created\":\"%s\",\"live\":%s,\"damaged\":%s,\"bytes\":%llu,",
               (long long)row->id, created, row->live ? "true" : "false",
               row->damaged ? "true" : "false", (unsigned long long)row->bytes);
    buf_text(out, "\"parameters\":");
    buf_str(out, row->parameters.len ? row->parameters : STR("null"));
    buf_text(out, ",\"report\":");
    buf_str(out, row->report.len ? row->report : STR("null"));
    buf_char(out, '}');
}

static int add_json(void *context, const struct model_row *row, struct error *err)
{
    (void)err;
    struct buf *out = context;
    if (out->len && out->ptr[out->len - 1] == '}')
        buf_char(out, ',');
    model_json(row, out);
    return 0;
}

static int show_run(struct shop *shop, struct op *op, struct error *err)
{
    struct models_op *self = (struct models_op *)op;
    struct db *db = reader_thread_models(shop->reader);
    int rc;
    if (self->model_id) {
        rc = models_get(db, self->model_id, add_json, &self->json, err);
    } else {
        buf_text(&self->json, "{\"models\":[");
        rc = models_list(db, add_json, &self->json, err);
        buf_text(&self->json, "]}");
    }
    if (rc == 0 && self->json.failed)
        rc = error_set(err, ERR_NOMEM, "models: out of memory");
    return rc;
}

static int activate_run(struct shop *shop, struct op *op, struct error *err)
{
    struct models_op *self = (struct models_op *)op;
    struct db *db = reader_thread_models(shop->reader);
    struct model *model = modelstore_load(shop, db, self->model_id, err);
    if (!model)
        return err->code;
    int rc = modelstore_make_live(shop, model, err);
    if (rc != 0)
        return rc;
    log_info("model.activated", "model=%lld", (long long)self->model_id);
    return show_run(shop, op, err);
}

static void prepare(struct models_op *op, int64_t model_id,
                    int (*run)(struct shop *, struct op *, struct error *),
                    void (*done)(struct op *op))
{
    *op = (struct models_op){.op = {.run = run, .done = done, .cost = 1}, .model_id = model_id};
    buf_init(&op->json, 0);
}

void models_show_prepare(struct models_op *op, int64_t model_id, void (*done)(struct op *op))
{
    prepare(op, model_id, show_run, done);
}

void models_activate_prepare(struct models_op *op, int64_t model_id, void (*done)(struct op *op))
{
    assert(model_id != 0);
    prepare(op, model_id, activate_run, done);
}
