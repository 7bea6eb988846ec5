/* load -> build -> save -> verify -> publish. Runs on the train thread, or on a command's main
 * thread. */
#ifndef SERVICE_TRAINER_H
#define SERVICE_TRAINER_H

#include "base/buf.h"
#include "engine/build.h"
#include "eval/rehearsal.h"
#include "service/shop.h"

struct train_outcome {
    int64_t model_id;
    struct build_report build;
    bool rehearsed;
    char not_rehearsed[160];    /* else the reason */
    struct rehearsal rehearsal; /* its recipe is the model's; `refused`: stored, but not live */
    double load_s, rehearsal_s, build_s, save_s,
        total_s; /* reading orders and events, rehearsing, building with it, writing, all of it */
    uint64_t rehearsal_estimate_bytes; /* 0: none would be held */
    uint64_t peak_rss_bytes, model_bytes;
    uint64_t orders, lines, items, users, rules;
    uint64_t events, sessions; /* learnt from */
    uint64_t skipped_orders, damaged_orders;
    struct recipe recipe; /* that the model was made by */
};

/* Lines that a rehearsal may have: it learns nearly all of them once more. */
#define REHEARSAL_LINES_MAX 3000000u

/* Own read-only connection; writes models.db under the shop's mutex. The model that goes live is
 * the one read back. The old model stays live whatever happens. ERR_CANCELLED within 5 s of a
 * cancel; ERR_LIMIT: memory limit; ERR_INVALID: no orders. */
int train_run(struct shop *shop, struct progress *progress, struct train_outcome *out,
              struct error *err) WARN_UNUSED;
void train_parameters_json(const struct settings *s, struct buf *out);
/* {"model":3,"orders":..,"lines":..,"items":..,"users":..,"events":..,"sessions":..,"rules":..,
 *  "skipped_orders":0,"damaged_orders":0,"min_support":22,"support_raised":false,"rules_cut":0,"rules_tested":..,
 *  "model_bytes":..,"estimate_bytes":..,"rehearsal_estimate_bytes":..,"peak_rss_bytes":..,
 *  "rehearsal":null or as rehearsal_json, "not_rehearsed":"why",   (only with null)
 *  "seconds":{"load":..,"rehearsal":..,"build":..,"save":..,"total":..},   as far as they were when
 * it was written "steps":[{"name":"itemsets","wall_s":..,"cpu_s":..,"bytes":..,"count":..},…],
 *  "recipe":{…}} (engine/recipe.h) */
void train_outcome_json(const struct train_outcome *o, struct buf *out);

/* What a training needs at most. */
struct train_need {
    struct dataset_shape shape;
    struct estimate build; /* with everything that a rehearsal may choose */
    uint64_t
        rehearsal_bytes; /* the orders included; 0: it would not be held with more room either */
    char not_rehearsed[160]; /* why there is none; empty: there is */
    uint64_t peak_bytes;
};
/* Reads all orders once. */
int train_estimate(struct shop *shop, struct train_need *out, struct error *err) WARN_UNUSED;

/* GET /models, GET /models/{id} and PUT /models/live (loads, verifies, marks, publishes):
 * {"id":3,"created":"…","live":true,"damaged":false,"bytes":..,"parameters":{…},"report":{…}}
 * {"models":[…]}   newest first
 * `report` is train_outcome_json's; activation answers with the model's object. shop_read.
 * ERR_NOT_FOUND; ERR_CORRUPT: it does not load, and is marked damaged. */
struct models_op {
    struct op op;
    int64_t model_id; /* 0: list */
    struct buf json;  /* init by prepare, deinit by the caller */
};
void models_show_prepare(struct models_op *op, int64_t model_id, void (*done)(struct op *op));
void models_activate_prepare(struct models_op *op, int64_t model_id, void (*done)(struct op *op));

/* Start-up: loads the live model, else the newest good one; marks damaged ones. ERR_NOT_FOUND:
 * none. */
int train_load_live(struct shop *shop, struct error *err) WARN_UNUSED;
#endif
