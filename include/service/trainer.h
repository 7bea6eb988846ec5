/* load -> build -> save -> verify -> publish. Runs on the trainer thread, or on a command's main
 * thread. */
#ifndef SERVICE_TRAINER_H
#define SERVICE_TRAINER_H

#include "base/buf.h"
#include "engine/build.h"
#include "service/shop.h"

struct train_outcome {
    int64_t model_id;
    struct build_report build;
    double load_s, save_s, total_s;
    uint64_t peak_rss_bytes, model_bytes;
    uint64_t orders, lines, items, rules;
};

/* Own read-only connection; writes models.db under the shop's mutex. The old model stays live
 * whatever happens. ERR_CANCELLED within 5 s of a cancel; ERR_LIMIT: memory limit. */
int train_run(struct shop *shop, struct progress *progress, struct train_outcome *out,
              struct error *err) WARN_UNUSED;
void train_outcome_json(const struct train_outcome *o, struct buf *out);
/* From the store's O(1) counters. */
int train_estimate(struct shop *shop, struct dataset_shape *shape, struct estimate *out,
                   struct error *err) WARN_UNUSED;

/* JSON of GET /models, GET /models/{id}; activation = PUT /models/live (loads, verifies, marks,
 * publishes). All run on the reader thread (shop_read). ERR_NOT_FOUND, ERR_CORRUPT. */
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
