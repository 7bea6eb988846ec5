/* The housekeeper wakes every second and does what nobody asks for:
 *
 * - loads what is not in memory yet, after a start or when it had to be dropped or not made;
 * - frees replaced models that nobody uses any more;
 * - queues a training when enough orders changed (train.min_new_orders) or enough time passed since
 *   the last one with anything new (train.interval), at most one a minute. Changes are counted from
 *   what the live model saw or, when a training failed since, from that attempt, so that a training
 *   that cannot succeed is not repeated for the same orders;
 * - queues a tuning as train.tune says, when orders changed since the last and nothing is to be
 *   trained;
 * - deletes orders older than orders.keep_days, a bite at a time, so that requests never wait for
 *   more than one. */
#include "jobs_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "service/live.h"
#include "service/writer.h"
#include "store/orders.h"

#define TICK_MS            1000
#define AUTOMATIC_PAUSE_NS (60 * 1000000000ull)
#define EXPIRE_PAUSE_NS    (60 * 1000000000ull)
#define EXPIRE_BITE        1000u
#define EXPIRE_BITES       20u /* a tick */
#define HOUR_MS            (3600 * 1000LL)
#define DAY_MS             (24 * HOUR_MS)
#define NIGHT_HOURS        3

struct keeper {
    struct jobs *jobs;
    uint64_t tried_ns; /* the last automatic training; 0: none */
    uint64_t tried_changes;
    int64_t tried_ms;
    uint64_t refused_ns; /* the last automatic tuning that could not be queued; 0: none */
    bool expired;        /* nothing old was left at expired_ns */
    uint64_t expired_ns;
};

static bool training_due(const struct keeper *k, uint64_t changes)
{
    const struct settings *settings = k->jobs->shop->settings;
    struct model *model = live_ref(k->jobs->shop->live);
    uint64_t seen = model ? model->changes : 0;
    int64_t since_ms = model ? model->created_ms : 0;
    model_unref(model);
    if (k->tried_ns && k->tried_changes > seen)
        seen = k->tried_changes;
    if (k->tried_ns && k->tried_ms > since_ms)
        since_ms = k->tried_ms;
    if (changes <= seen)
        return false;
    if (settings->min_new_orders && changes - seen >= settings->min_new_orders)
        return true;
    return settings->interval_ms && clock_wall_ms() - since_ms >= settings->interval_ms;
}

static void train_when_due(struct keeper *k)
{
    uint64_t now_ns = clock_mono_ns(), changes = atomic_load(&k->jobs->changes);
    if ((k->tried_ns && now_ns - k->tried_ns < AUTOMATIC_PAUSE_NS) || !training_due(k, changes))
        return;
    struct error err = ERROR_INIT;
    struct job_submit_op self;
    jobs_train_prepare(&self, NULL);
    if (shop_write_wait(k->jobs->shop, &self.op, &err) != 0) {
        log_warn("train.automatic", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
        return;
    }
    k->tried_ns = now_ns;
    k->tried_ms = clock_wall_ms();
    k->tried_changes = changes;
    log_info("train.automatic", "job=%lld", (long long)self.job_id);
}

static bool at_night(const struct settings *settings, int64_t now_ms)
{
    int64_t hour = now_ms / HOUR_MS % 24;
    return (hour + 24 - settings->tune_hour) % 24 < NIGHT_HOURS;
}

static bool tuning_due(struct keeper *k, uint64_t changes)
{
    struct jobs *jobs = k->jobs;
    const struct settings *settings = jobs->shop->settings;
    enum tune_when when;
    int64_t every_ms, now_ms = clock_wall_ms();
    if (!settings_parse_tune(str_of(settings->tune), &when, &every_ms) || when == TUNE_OFF ||
        !settings->rehearse)
        return false;
    if (when == TUNE_NIGHTLY)
        every_ms = DAY_MS / 2;
    struct model *model = live_ref(jobs->shop->live);
    bool trained = model != NULL;
    model_unref(model);
    pthread_mutex_lock(&jobs->mutex);
    bool due = changes > jobs->tuned_changes && now_ms - jobs->tuned_ms >= every_ms;
    for (struct job *job = jobs->first; job && due; job = job->next)
        due = job->kind == JOB_IMPORT;
    pthread_mutex_unlock(&jobs->mutex);
    return due && trained && (when != TUNE_NIGHTLY || at_night(settings, now_ms)) &&
           !training_due(k, changes);
}

static void tune_when_due(struct keeper *k)
{
    uint64_t now_ns = clock_mono_ns(), changes = atomic_load(&k->jobs->changes);
    if (k->refused_ns && now_ns - k->refused_ns < AUTOMATIC_PAUSE_NS)
        return;
    if (!tuning_due(k, changes))
        return;
    struct error err = ERROR_INIT;
    struct job_submit_op self;
    jobs_tune_prepare(&self, changes);
    if (shop_write_wait(k->jobs->shop, &self.op, &err) != 0) {
        k->refused_ns = now_ns;
        log_warn("tune.automatic", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
        return;
    }
    log_info("tune.automatic", "job=%lld", (long long)self.job_id);
}

static bool is_stopping(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    bool stopping = jobs->stopping;
    pthread_mutex_unlock(&jobs->mutex);
    return stopping;
}

static void load_memory(struct jobs *jobs)
{
    struct error err = ERROR_INIT;
    int rc = 0;
    while (rc == 0 && !jobs->shop->memory.complete && !is_stopping(jobs))
        rc = memory_load_wait(jobs->shop, &err);
    if (rc != 0)
        log_warn("memory.load", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
}

struct expire_op {
    struct op op;
    int64_t before_ms;
    uint32_t deleted;
};

static void expire_apply(struct shop *shop, struct op *op)
{
    struct expire_op *self = (struct expire_op *)op;
    if (self->deleted < EXPIRE_BITE) /* the last bite: one sweep for all of them */
        memory_expire(shop, self->before_ms);
}

static int expire_run(struct shop *shop, struct op *op, struct error *err)
{
    struct expire_op *self = (struct expire_op *)op;
    return orders_expire(writer_db(shop->writer), self->before_ms, EXPIRE_BITE, &self->deleted,
                         err);
}

/* One bite; true: there may be more. */
static bool expire_some(struct shop *shop)
{
    struct error err = ERROR_INIT;
    struct expire_op self = {.op = {.run = expire_run, .apply = expire_apply, .cost = EXPIRE_BITE}};
    self.before_ms = clock_wall_ms() - (int64_t)shop->settings->keep_days * DAY_MS;
    if (shop_write_wait(shop, &self.op, &err) != 0) {
        log_warn("orders.expire", "error=%s", log_text(err.text, (struct log_quoted[1]){0}));
        return false;
    }
    if (self.deleted)
        log_debug("orders.expire", "deleted=%u", self.deleted);
    return self.deleted == EXPIRE_BITE;
}

static void expire_old(struct keeper *k)
{
    struct shop *shop = k->jobs->shop;
    uint64_t now_ns = clock_mono_ns();
    if (!shop->settings->keep_days || (k->expired && now_ns - k->expired_ns < EXPIRE_PAUSE_NS))
        return;
    uint32_t bites = 0;
    while (bites < EXPIRE_BITES && expire_some(shop))
        bites++;
    k->expired = bites < EXPIRE_BITES;
    k->expired_ns = now_ns;
}

void *keep_house(void *context)
{
    struct keeper keeper = {.jobs = context};
    struct jobs *jobs = context;
    for (bool stopping = false; !stopping;) {
        load_memory(jobs);
        memory_settle(jobs->shop);
        memory_repair(jobs->shop);
        live_sweep(jobs->shop->live);
        train_when_due(&keeper);
        tune_when_due(&keeper);
        expire_old(&keeper);
        pthread_mutex_lock(&jobs->mutex);
        if (!jobs->stopping)
            jobs_wait(jobs, TICK_MS);
        stopping = jobs->stopping;
        pthread_mutex_unlock(&jobs->mutex);
    }
    return NULL;
}
