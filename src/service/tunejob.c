/* A tuning as a job of a serving shop: the search of service/tuning.h for both surfaces, on the
 * orders that were there when it was queued. So what tune.ndjson has of it counts after a restart
 * although more orders have come. */
#include "jobs_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "service/shop.h"
#include "service/trainer.h"
#include "service/tuning.h"

#include <jansson.h>
#include <stdio.h>

#define ITEM_NAME_BYTES 100 /* a guess: the id, where it is and how it is found */

void tune_request_json(const struct tune_request *request, struct buf *out)
{
    buf_printf(out, "{\"through\":%llu,\"changes\":%llu}", (unsigned long long)request->through,
               (unsigned long long)request->changes);
}

int tune_request_parse(struct str json, struct tune_request *out, struct error *err)
{
    json_error_t problem;
    json_t *root = json_loadb(json.ptr ? json.ptr : "", json.len, 0, &problem);
    if (!root && json_error_code(&problem) == json_error_out_of_memory)
        return error_set(err, ERR_NOMEM, "job request: out of memory");
    json_int_t through = json_integer_value(json_object_get(root, "through"));
    json_int_t changes = json_integer_value(json_object_get(root, "changes"));
    json_decref(root);
    if (through <= 0 || changes <= 0)
        return error_set(err, ERR_CORRUPT, "job request: not as it was written");
    *out = (struct tune_request){(uint64_t)through, (uint64_t)changes};
    return 0;
}

struct tuner {
    struct shop *shop;
    struct job *job;
    struct buf *report;
    struct error *err;
    struct train_need need;
};

static int check_size(struct tuner *t, struct error *err)
{
    struct shop *shop = t->shop;
    struct recipe menu;
    int rc = train_estimate(shop, &t->need, err);
    if (rc)
        return rc;
    if (t->need.shape.lines > REHEARSAL_LINES_MAX)
        return error_set(err, ERR_LIMIT,
                         "%llu order lines: trainings of more than %u are not rehearsed and would "
                         "not use what a tuning finds",
                         (unsigned long long)t->need.shape.lines, REHEARSAL_LINES_MAX);
    return tuning_menu(shop->settings->data, 1, &menu, err); /* that tuned.json can be read */
}

static void skipped(enum mix_kind mix, const char *why, struct buf *out)
{
    buf_printf(out, "{\"surface\":\"%s\",\"skipped\":", mix_name(mix));
    buf_json_str(out, str_of(why));
    buf_char(out, '}');
}

/* False: `why` says what it may need and what there is. */
static bool has_room(const struct tuner *t, enum mix_kind mix, char *why, size_t room)
{
    const struct settings *s = t->shop->settings;
    const struct tune_params params = {.mix = mix, .keep = s->neighbours, .threads = s->threads};
    const struct dataset_shape *shape = &t->need.shape;
    uint64_t needed = t->need.build.dataset_bytes + shape->items * ITEM_NAME_BYTES +
                      tune_estimate_bytes(shape, &params);
    if (!s->memory_limit_bytes || needed <= s->memory_limit_bytes)
        return true;
    snprintf(why, room, "memory-limit: tuning may need %llu MiB, the limit is %llu MiB",
             (unsigned long long)(needed >> 20), (unsigned long long)(s->memory_limit_bytes >> 20));
    log_warn("tune.skipped", "surface=%s reason=%s", mix_name(mix),
             log_text(why, (struct log_quoted[1]){0}));
    return false;
}

/* A surface with too few orders, or without the memory, is left out, and said so. */
static int tune_surface(struct tuner *t, enum mix_kind mix, int64_t budget_ms)
{
    const struct settings *s = t->shop->settings;
    const struct tuning_request request = {.data = s->data,
                                           .mix = mix,
                                           .seed = 1,
                                           .keep = s->neighbours,
                                           .budget_ms = budget_ms > 0 ? budget_ms : 1,
                                           .through = t->job->tune.through,
                                           .threads = s->threads,
                                           .progress = &t->job->progress};
    struct tuning_report report;
    struct error local = ERROR_INIT;
    char why[120];
    if (!has_room(t, mix, why, sizeof why)) {
        skipped(mix, why, t->report);
        return 0;
    }
    int rc = tuning_run(&request, &report, &local);
    if (rc == 0)
        tuning_json(&request, &report, t->report);
    else if (rc == ERR_INVALID)
        skipped(mix, local.text, t->report);
    else
        return error_set(t->err, rc, "%s", local.text);
    return 0;
}

static int tune_both(struct tuner *t)
{
    uint64_t begin_ns = clock_mono_ns() - t->job->spent_ns;
    int64_t budget_ms = t->shop->settings->tune_budget_ms;
    int rc = check_size(t, t->err);
    if (rc)
        return rc;
    buf_text(t->report, "{\"surfaces\":[");
    int64_t spent_ms = (int64_t)((clock_mono_ns() - begin_ns) / 1000000);
    rc = tune_surface(t, MIX_BASKET, budget_ms / 2 - spent_ms);
    if (rc)
        return rc;
    buf_char(t->report, ',');
    spent_ms = (int64_t)((clock_mono_ns() - begin_ns) / 1000000);
    rc = tune_surface(t, MIX_PERSONAL, budget_ms - spent_ms);
    buf_text(t->report, "]}");
    return rc;
}

int tunejob_run(struct shop *shop, struct job *job, struct buf *report, struct error *err)
{
    struct tuner t = {.shop = shop, .job = job, .report = report, .err = err};
    int rc = tune_both(&t);
    if (rc)
        buf_clear(report);
    return rc;
}
