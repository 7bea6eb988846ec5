/* Surface by surface: cut, fit, judge. Questions of even clusters choose the recipe, those of odd
 * ones judge it. The matrices in the judgement are those the fit has made already; and what basket
 * and personal have made is what session weighs, as all three learn from the same orders. */
#include "eval/rehearsal.h"

#include "base/mem.h"
#include "eval/contender_mix.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_HELD_BACK 0.1
#define DEFAULT_QUESTIONS 8000

static const struct {
    enum task task;
    enum mix_kind mix;
} surfaces[REHEARSED_COUNT] = {
    [REHEARSED_BASKET] = {TASK_BASKET, MIX_BASKET},
    [REHEARSED_PERSONAL] = {TASK_PERSONAL, MIX_PERSONAL},
    [REHEARSED_SESSION] = {TASK_SESSION, MIX_SESSION},
};

struct rehearsing {
    const struct dataset *d;
    const struct rehearsal_params *params;
    struct recipe *recipe;
    struct csr made[MATRIX_COUNT]; /* by the surfaces before, over the items that have orders */
};

/* What the live model may have learnt from is no later; of visits up to the hour of its making. */
static int64_t newest_learnt(const struct model *live, const struct split *split)
{
    int64_t order_ms = live->popularity.now_ms;
    return split->visits && live->created_ms > order_ms ? live->created_ms : order_ms;
}

static int judge(const struct split *split, const struct rehearsal_params *params,
                 const struct contender *candidate, struct rehearsed *out, struct error *err)
{
    struct gate_params gate = {.after_ms = newest_learnt(params->live, split),
                               .seed = params->seed,
                               .threads = params->threads,
                               .progress = params->progress};
    struct contender live = {0};
    int rc = contender_model("live", params->live, out->mix, split, params->threads, &live, err);
    if (rc == 0)
        rc = gate_judge(split, &live, candidate, &gate, &out->gate, err);
    contender_deinit(&live);
    return rc;
}

static int fit_tail(const struct split *split, const struct rehearsal_params *params,
                    const struct contender *candidate, struct mix *mix, struct rehearsed *out,
                    struct error *err)
{
    const struct ranking_params asked = {.threads = params->threads, .progress = params->progress};
    int rc = tail_fit(split, candidate, params->tail_target, &asked, &out->tail, err);
    if (rc == 0)
        mix->novelty = (float)out->tail.novelty;
    return rc;
}

static int try_candidate(struct rehearsing *r, const struct split *split,
                         const struct contender *candidate, struct rehearsed *out,
                         struct error *err)
{
    const struct rehearsal_params *params = r->params;
    int rc = 0;
    if (params->tail_target > 0)
        rc = fit_tail(split, params, candidate, &r->recipe->mixes[out->mix], out, err);
    if (rc == 0 && params->live && !params->without_gate)
        rc = judge(split, params, candidate, out, err);
    return rc;
}

static void rows_deinit(struct csr rows[MATRIX_COUNT])
{
    for (int k = 0; k < MATRIX_COUNT; k++)
        csr_deinit(&rows[k]);
}

static bool is_for_session(const struct rehearsing *r, int matrix)
{
    return r->d->sessions.rows.count > 0 && r->recipe->mixes[MIX_SESSION].weight[matrix] > 0;
}

/* Takes the rows that a later surface weighs; the others stay. */
static void keep_made(struct rehearsing *r, struct csr rows[MATRIX_COUNT])
{
    for (int k = 0; k < MATRIX_COUNT; k++) {
        if (!rows[k].start || !is_for_session(r, k))
            continue;
        r->made[k] = rows[k];
        rows[k] = (struct csr){0};
    }
}

/* Rows over the items that have orders become rows over all items of `d`, empty ones for those that
 * only visits know. Both number items by ascending key. */
static int spread_rows(const struct dataset *d, struct csr *rows, struct error *err)
{
    uint32_t *item, known = 0;
    uint64_t *start;
    MEM_NEW(item, rows->rows);
    MEM_NEW(start, d->item_count + (size_t)1);
    if (!item || !start) {
        free(item);
        free(start);
        return error_set(err, ERR_NOMEM, "rehearsal: out of memory");
    }
    for (uint32_t i = 0; i < d->item_count; i++) {
        start[i] = rows->start[known];
        if (d->item_orders[i] == 0)
            continue;
        assert(known < rows->rows);
        item[known++] = i;
    }
    assert(known == rows->rows);
    start[d->item_count] = rows->start[known];
    for (uint64_t e = 0; e < start[d->item_count]; e++)
        rows->column[e] = item[rows->column[e]];
    free(item);
    free(rows->start);
    rows->start = start;
    rows->rows = rows->cols = d->item_count;
    return 0;
}

static int fit_and_judge(struct rehearsing *r, const struct split *split, struct rehearsed *out,
                         struct error *err)
{
    struct csr rows[MATRIX_COUNT] = {0};
    struct fit_params fit = {.half = true,
                             .whole = split->visits,
                             .keep = r->params->keep,
                             .threads = r->params->threads,
                             .progress = r->params->progress};
    struct contender candidate = {0};
    int rc = 0;
    for (int k = 0; k < MATRIX_COUNT && split->visits && rc == 0; k++) {
        if (r->made[k].start)
            rc = spread_rows(&split->train, &r->made[k], err);
        rows[k] = r->made[k];
        r->made[k] = (struct csr){0};
    }
    if (rc == 0)
        rc = recipe_fit(split, r->recipe, out->mix, &fit, r->recipe, rows, &out->fit, err);
    out->held = rc == 0 && out->fit.fitted;
    if (rc == 0 && !out->held)
        snprintf(out->why_not, sizeof out->why_not, "only %u questions to choose by",
                 out->fit.questions);
    if (out->held) {
        rc = contender_fitted("new", split, &r->recipe->mixes[out->mix], rows, r->params->threads,
                              &candidate, err);
        if (rc == 0) {
            rc = try_candidate(r, split, &candidate, out, err);
            contender_mix_rows(&candidate, rows);
        }
        contender_deinit(&candidate);
    }
    if (rc == 0)
        keep_made(r, rows);
    rows_deinit(rows);
    return rc;
}

static int rehearse_surface(struct rehearsing *r, int surface, struct rehearsed *out,
                            struct error *err)
{
    const struct rehearsal_params *params = r->params;
    struct split_params cut = {
        .protocol = PROTOCOL_TIME,
        .task = surfaces[surface].task,
        .visits = surface == REHEARSED_SESSION,
        .test_share = params->held_back > 0 ? params->held_back : DEFAULT_HELD_BACK,
        .questions_max = params->questions ? params->questions : DEFAULT_QUESTIONS,
        .seed = params->seed};
    struct error why = ERROR_INIT;
    struct split split;
    *out = (struct rehearsed){.mix = surfaces[surface].mix};
    int rc = split_make(r->d, &cut, STAGE_TEST, &split, &why);
    if (rc == ERR_INVALID) {
        snprintf(out->why_not, sizeof out->why_not, "%.150s", why.text);
        return 0;
    }
    if (rc)
        return error_set(err, rc, "%s", why.text);
    rc = fit_and_judge(r, &split, out, err);
    split_deinit(&split);
    return rc;
}

int rehearse(const struct dataset *d, const struct rehearsal_params *params, struct rehearsal *out,
             struct error *err)
{
    struct rehearsing r = {.d = d, .params = params, .recipe = &out->recipe};
    int rc = 0;
    *out = (struct rehearsal){0};
    if (params->menu)
        out->recipe = *params->menu;
    else
        recipe_menu(&out->recipe, d->item_count);
    progress_begin(params->progress, "rehearsing", 0);
    for (int s = 0; s < REHEARSED_COUNT && rc == 0; s++) {
        rc = rehearse_surface(&r, s, &out->surface[s], err);
        out->refused = out->refused || out->surface[s].gate.refused;
    }
    rows_deinit(r.made);
    return rc;
}

static double asked_of(const struct dataset_shape *shape, int surface,
                       const struct rehearsal_params *params)
{
    double held_back = params->held_back > 0 ? params->held_back : DEFAULT_HELD_BACK;
    double each = surfaces[surface].task == TASK_BASKET ? 3 : 1;
    return each * held_back *
           (double)(surface == REHEARSED_SESSION ? shape->events : shape->orders);
}

/* What judges takes less than what fits: the rows of all ingredients are gone by then. */
uint64_t rehearsal_estimate_bytes(const struct dataset_shape *shape,
                                  const struct rehearsal_params *params)
{
    struct recipe menu;
    struct split_estimate split;
    uint64_t most = 0, kept = 0;
    if (params->menu)
        menu = *params->menu;
    else
        recipe_menu(&menu, (uint32_t)(shape->items < UINT32_MAX ? shape->items : UINT32_MAX));
    for (int s = 0; s < REHEARSED_COUNT; s++) {
        const struct fit_params fit = {.questions = fit_questions_of(asked_of(shape, s, params)),
                                       .whole = s == REHEARSED_SESSION,
                                       .keep = params->keep,
                                       .threads = params->threads};
        struct fit_estimate fitted;
        if (s == REHEARSED_SESSION && !shape->events)
            continue;
        recipe_fit_estimate(shape, &menu, surfaces[s].mix, &fit, &fitted);
        most = kept + fitted.peak_bytes > most ? kept + fitted.peak_bytes : most;
        kept += shape->events ? fitted.rows_bytes : 0;
    }
    split_estimate(shape, &split);
    most += split.held_bytes;
    return most > split.peak_bytes ? most : split.peak_bytes;
}

static void surface_json(const struct rehearsed *s, struct buf *out)
{
    buf_printf(out, "\"%s\":{", mix_name(s->mix));
    if (!s->held) {
        buf_text(out, "\"skipped\":");
        buf_json_str(out, str_of(s->why_not));
        buf_char(out, '}');
        return;
    }
    buf_printf(out, "\"questions\":%u,\"ndcg_menu\":", s->fit.questions);
    buf_f64(out, s->fit.ndcg_menu);
    buf_text(out, ",\"ndcg\":");
    buf_f64(out, s->fit.ndcg);
    if (s->tail.target > 0) {
        buf_text(out, ",\"tail\":");
        tail_json(&s->tail, out);
    }
    buf_text(out, ",\"gate\":");
    gate_json(&s->gate, out);
    buf_char(out, '}');
}

void rehearsal_json(const struct rehearsal *r, struct buf *out)
{
    buf_printf(out, "{\"refused\":%s", r->refused ? "true" : "false");
    for (int s = 0; s < REHEARSED_COUNT; s++) {
        buf_char(out, ',');
        surface_json(&r->surface[s], out);
    }
    buf_char(out, '}');
}
