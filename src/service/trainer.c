/* One training, from the orders to the live model.
 *
 *     scan orders (own connection) -> dataset -> rehearse -> model_build -> models.db -> read back
 *     -> publish, unless the rehearsal has shown it to be worse than the live model
 *
 * The counter of changes is read before the scan, so that a change the scan does not see counts as
 * new. What goes live is what was read back from the database: if it cannot be read, nothing
 * changes. Peak memory is held down by freeing the dataset before the model is written, and the
 * built model before the stored one is loaded. */
#include "service/trainer.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "eval/fit.h"
#include "ingest/record.h"
#include "service/live.h"
#include "service/metrics.h"
#include "service/modelstore.h"
#include "store/events.h"
#include "store/items.h"
#include "store/orders.h"
#include "trainer_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct training {
    struct shop *shop;
    struct progress *progress;
    struct train_outcome *out;
    struct db *orders, *models;
    struct dataset data;
    VEC(uint32_t) keys; /* of one order */
    struct arena names_arena;
    struct str *names; /* [data.item_count] */
    uint32_t named;
    uint64_t changes, newest_order;
    struct model *model;
    int64_t id; /* begun in models.db; 0: not */
};

struct db *train_open(struct shop *shop, const char *family, struct error *err)
{
    char path[sizeof shop->settings->data + 32];
    snprintf(path, sizeof path, "%s/%s.db", shop->settings->data, family);
    return db_open(path, family, DB_READ, err);
}

/* What the store and the data floor call the kinds of events is the same. */
_Static_assert((int)ACTION_VIEW == EVENT_VIEW && (int)ACTION_CART == EVENT_CART &&
                   (int)ACTION_UNCART == EVENT_UNCART && (int)ACTION_WISH == EVENT_WISH &&
                   (int)ACTION_PURCHASE == EVENT_PURCHASE && (int)ACTION_COUNT == EVENT_KIND_COUNT,
               "an action for each kind of event");

static uint64_t hash_session(struct str id)
{
    uint64_t hash = id.len ? XXH3_64bits(id.ptr, id.len) : 0;
    return id.len && hash == 0 ? 1 : hash;
}

static int add_event(void *context, const struct event_row *row, struct error *err)
{
    struct training *t = context;
    if (row->kind < 0 || row->kind >= ACTION_COUNT || row->item == 0 || row->item == UINT32_MAX)
        return error_set(err, ERR_CORRUPT, "event %.*s: its kind or item is damaged",
                         STR_ARG(row->event_id));
    if (t->shop->settings->event_weights.of[row->kind].weight <= 0)
        return 0;
    struct event event = {.time_ms = row->time_ms,
                          .user = row->user,
                          .session = hash_session(row->session_id),
                          .item = row->item,
                          .action = (uint8_t)row->kind};
    return dataset_add_event(&t->data, &event, err);
}

static int add_order(void *context, const struct order_row *row, struct error *err)
{
    struct training *t = context;
    t->keys.count = 0;
    if (!VEC_RESERVE(&t->keys, row->line_count))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    for (uint32_t i = 0; i < row->line_count; i++)
        t->keys.at[t->keys.count++] = row->lines[i].item;
    t->out->lines += row->line_count;
    t->newest_order = row->key;
    return dataset_add(&t->data, row->time_ms, row->user, t->keys.at, row->line_count, err);
}

/* Both lists ascend by key. */
static int name_item(void *context, const struct item_row *row, struct error *err)
{
    struct training *t = context;
    if (t->named == t->data.item_count || t->data.item_key[t->named] != row->key)
        return 0;
    t->names[t->named] = arena_str(&t->names_arena, row->item_id);
    if (!t->names[t->named++].ptr)
        return error_set(err, ERR_NOMEM, "training: out of memory");
    return 0;
}

static int load_names(struct training *t, struct error *err)
{
    if (!MEM_ZNEW(t->names, t->data.item_count))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    int rc = items_scan(t->orders, name_item, t, err);
    if (rc == 0 && t->named != t->data.item_count)
        rc = error_set(err, ERR_CORRUPT, "item %u of an order or event is not in the catalogue",
                       t->data.item_key[t->named]);
    return rc;
}

/* What is rehearsed and built is held to the limit later; here, that the orders alone fit. */
static int check_memory(struct training *t, const struct order_stats *stats, uint64_t events,
                        struct error *err)
{
    uint64_t limit = t->shop->settings->memory_limit_bytes, most = t->shop->settings->max_events;
    const struct dataset_shape shape = {.orders = stats->orders,
                                        .lines = stats->lines,
                                        .users = stats->orders,
                                        .events = events < most ? events : most};
    const struct build_params params = train_build_params(t->shop->settings, NULL);
    struct estimate needed;
    build_estimate(&shape, &params, &needed);
    if (!limit || needed.dataset_bytes <= limit)
        return 0;
    return error_set(err, ERR_LIMIT,
                     "memory-limit: orders and events alone need %llu MiB, the limit is %llu MiB",
                     (unsigned long long)(needed.dataset_bytes >> 20),
                     (unsigned long long)(limit >> 20));
}

static int load(struct training *t, struct error *err)
{
    struct order_stats stats;
    uint64_t events = 0;
    struct dataset_limits limits = {
        .max_order_items = t->shop->settings->max_order_items,
        .sessions.max_events = t->shop->settings->max_events,
        .weights = &t->shop->settings->event_weights,
    };
    if (!(t->orders = train_open(t->shop, "orders", err)))
        return err->code;
    int rc = orders_stats(t->orders, &stats, err);
    if (rc == 0)
        rc = events_count(t->orders, &events, err);
    if (rc == 0)
        rc = dataset_init(&t->data, &limits, err);
    if (rc != 0)
        return rc;
    t->changes = stats.changes;
    if ((rc = check_memory(t, &stats, events, err)) != 0)
        return rc;
    progress_begin(t->progress, "reading orders", stats.orders);
    rc = orders_scan(t->orders, add_order, t, t->progress, &t->out->damaged_orders, err);
    if (rc == 0)
        rc = events_scan(t->orders, INT64_MIN, add_event, t, t->progress, err);
    if (rc == 0)
        rc = dataset_finish(&t->data, err);
    if (rc == 0)
        rc = load_names(t, err);
    db_close(t->orders);
    t->orders = NULL;
    t->out->orders = t->data.basket_count;
    t->out->items = t->data.item_count;
    t->out->users = t->data.user_count;
    t->out->skipped_orders = t->data.skipped_orders;
    t->out->events = sessions_events(&t->data.sessions);
    t->out->sessions = t->data.sessions.rows.count;
    return rc;
}

static struct str name_of(void *context, uint32_t item_key)
{
    const struct training *t = context;
    uint32_t low = 0, high = t->data.item_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->data.item_key[middle] < item_key)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low < t->data.item_count && t->data.item_key[low] == item_key);
    return t->names[low];
}

/* Fits the recipe and judges it on the newest orders; without, the live model's recipe goes on. */
static int rehearse_training(struct training *t, struct error *err)
{
    const struct settings *s = t->shop->settings;
    struct model *live = live_ref(t->shop->live);
    struct rehearsal_params params = {.live = live,
                                      .without_gate = !s->gate,
                                      .tail_target = s->tail_target,
                                      .keep = s->neighbours,
                                      .seed = 1,
                                      .threads = s->threads,
                                      .progress = t->progress};
    struct train_outcome *out = t->out;
    struct train_need need;
    struct dataset_shape shape;
    struct recipe menu;
    dataset_shape_of(&t->data, &shape);
    int rc = train_menu(s, &shape, &menu, err);
    if (rc == 0) {
        train_need_of(s, &shape, &menu, live ? &live->recipe : NULL, &need);
        snprintf(out->not_rehearsed, sizeof out->not_rehearsed, "%s", need.not_rehearsed);
        out->rehearsal_estimate_bytes = need.rehearsal_bytes;
        out->rehearsed = !*need.not_rehearsed;
    }
    params.menu = &menu;
    if (out->rehearsed)
        rc = rehearse(&t->data, &params, &out->rehearsal, err);
    else if (live)
        out->rehearsal.recipe = live->recipe;
    else
        recipe_menu(&out->rehearsal.recipe, t->data.item_count);
    model_unref(live);
    for (int k = 0; k < MIX_COUNT && !(s->tail_target > 0); k++)
        out->rehearsal.recipe.mixes[k].novelty = 0;
    return rc;
}

/* With the recipe found, or with the usual one where that has no room. */
static int build_model(struct training *t, struct error *err)
{
    struct build_params params = train_build_params(t->shop->settings, t->progress);
    struct train_outcome *out = t->out;
    struct error why = ERROR_INIT;
    params.recipe = &out->rehearsal.recipe;
    t->model = model_build(&t->data, name_of, t, &params, &out->build, &why);
    if (!t->model && why.code == ERR_LIMIT) {
        out->rehearsed = false;
        out->rehearsal = (struct rehearsal){0};
        recipe_menu(&out->rehearsal.recipe, t->data.item_count);
        snprintf(out->not_rehearsed, sizeof out->not_rehearsed, "its recipe: %.140s", why.text);
        t->model = model_build(&t->data, name_of, t, &params, &out->build, err);
        return t->model ? 0 : (int)err->code;
    }
    return t->model ? 0 : error_set(err, why.code, "%s", why.text);
}

static int build(struct training *t, struct error *err)
{
    if (!t->data.basket_count)
        return error_set(err, ERR_INVALID, "there are no orders to learn from");
    double begin_s = (double)clock_mono_ns() / 1e9;
    int rc = rehearse_training(t, err);
    t->out->rehearsal_s = (double)clock_mono_ns() / 1e9 - begin_s;
    if (rc == 0)
        rc = build_model(t, err);
    if (rc)
        return rc;
    t->model->created_ms = clock_wall_ms();
    t->model->changes = t->changes;
    t->model->newest_order = t->newest_order;
    t->out->rules = t->model->rules.count;
    t->out->model_bytes = model_bytes(t->model);
    t->out->recipe = t->model->recipe;
    dataset_deinit(&t->data);
    arena_deinit(&t->names_arena);
    return 0;
}

static int save(struct training *t, double start_s, struct error *err)
{
    struct buf parameters, report;
    buf_init(&parameters, 0);
    buf_init(&report, 0);
    double begin_s = (double)clock_mono_ns() / 1e9;
    train_parameters_json(t->shop->settings, &parameters);
    int rc = parameters.failed ? error_set(err, ERR_NOMEM, "training: out of memory") : 0;
    if (rc == 0)
        rc = modelstore_write(t->shop, t->model, (struct str){parameters.ptr, parameters.len},
                              t->progress, &t->id, err);
    if (rc == 0) {
        double now_s = (double)clock_mono_ns() / 1e9;
        t->out->model_id = t->id;
        t->out->save_s = now_s - begin_s;
        t->out->total_s = now_s - start_s;
        t->out->peak_rss_bytes = clock_peak_rss();
        train_outcome_json(t->out, &report);
        rc = report.failed
                 ? error_set(err, ERR_NOMEM, "training: out of memory")
                 : modelstore_finish(t->shop, t->id, (struct str){report.ptr, report.len}, err);
    }
    buf_deinit(&parameters);
    buf_deinit(&report);
    if (rc != 0 && t->id)
        modelstore_abandon(t->shop, t->id);
    return rc;
}

static int publish(struct training *t, struct error *err)
{
    progress_begin(t->progress, "verifying", 0);
    model_unref(t->model);
    t->model = NULL;
    if (!(t->models = train_open(t->shop, "models", err)))
        return err->code;
    struct model *stored = modelstore_load(t->shop, t->models, t->id, err);
    db_close(t->models);
    t->models = NULL;
    if (!stored)
        return err->code;
    struct error local = ERROR_INIT;
    int rc = 0;
    if (t->out->rehearsal.refused)
        model_unref(stored);
    else
        rc = modelstore_make_live(t->shop, stored, err);
    if (rc == 0 && modelstore_prune(t->shop, &local) != 0)
        log_warn("model.prune", "error=%s", log_text(local.text, (struct log_quoted[1]){0}));
    return rc;
}

static int train(struct training *t, struct error *err)
{
    double start_s = (double)clock_mono_ns() / 1e9;
    live_sweep(t->shop->live);
    int rc = load(t, err);
    if (rc != 0)
        return rc;
    double loaded_s = (double)clock_mono_ns() / 1e9;
    t->out->load_s = loaded_s - start_s;
    rc = build(t, err);
    if (rc != 0)
        return rc;
    t->out->build_s = (double)clock_mono_ns() / 1e9 - loaded_s - t->out->rehearsal_s;
    rc = save(t, start_s, err);
    if (rc == 0)
        rc = publish(t, err);
    t->out->total_s = (double)clock_mono_ns() / 1e9 - start_s;
    return rc;
}

int train_run(struct shop *shop, struct progress *progress, struct train_outcome *out,
              struct error *err)
{
    struct training t = {.shop = shop, .progress = progress, .out = out};
    struct error local = ERROR_INIT;
    memset(out, 0, sizeof *out);
    arena_init(&t.names_arena);
    int rc = train(&t, &local);
    dataset_deinit(&t.data);
    VEC_FREE(&t.keys);
    arena_deinit(&t.names_arena);
    free(t.names);
    model_unref(t.model);
    db_close(t.orders);
    db_close(t.models);
    metrics_trained(shop, rc == 0, out->total_s);
    if (rc != 0)
        return error_set(err, local.code, "%s", local.text);
    if (shop->settings->rehearse && *out->not_rehearsed)
        log_warn("train.unrehearsed", "reason=%s",
                 log_text(out->not_rehearsed, (struct log_quoted[1]){0}));
    if (out->rehearsal.refused)
        log_warn("train.refused", "model=%lld", (long long)out->model_id);
    log_info("train.done", "model=%lld orders=%llu items=%llu rules=%llu seconds=%.2f",
             (long long)out->model_id, (unsigned long long)out->orders,
             (unsigned long long)out->items, (unsigned long long)out->rules, out->total_s);
    return 0;
}
