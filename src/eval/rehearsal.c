/* Surface by surface: cut, fit, judge. Questions of even clusters choose the recipe, those of odd
 * ones judge it. The matrices in the judgement are those the fit has made already. */
#include "eval/rehearsal.h"

#include "eval/contender_mix.h"

#include <stdio.h>

#define DEFAULT_HELD_BACK 0.1
#define DEFAULT_QUESTIONS 8000

static const struct {
    enum task task;
    enum mix_kind mix;
} surfaces[REHEARSED_COUNT] = {
    [REHEARSED_BASKET] = {TASK_BASKET, MIX_BASKET},
    [REHEARSED_PERSONAL] = {TASK_PERSONAL, MIX_PERSONAL},
};

static int judge(const struct split *split, const struct rehearsal_params *params,
                 const struct contender *candidate, struct rehearsed *out, struct error *err)
{
    struct gate_params gate = {.after_ms = params->live->popularity.now_ms,
                               .seed = params->seed,
                               .threads = params->threads,
                               .progress = params->progress};
    struct contender live = {0};
    int rc = contender_model("live", params->live, out->mix, split, &live, err);
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

static int fit_and_judge(const struct split *split, const struct rehearsal_params *params,
                         struct recipe *recipe, struct rehearsed *out, struct error *err)
{
    struct csr rows[MATRIX_COUNT] = {0};
    struct fit_params fit = {.half = true,
                             .keep = params->keep,
                             .threads = params->threads,
                             .progress = params->progress};
    struct contender candidate = {0};
    struct mix *mix = &recipe->mixes[out->mix];
    int rc = recipe_fit(split, recipe, out->mix, &fit, recipe, rows, &out->fit, err);
    out->held = rc == 0 && out->fit.fitted;
    if (rc == 0 && !out->held)
        snprintf(out->why_not, sizeof out->why_not, "only %u questions to choose by",
                 out->fit.questions);
    if (!out->held)
        return rc; /* without rows */
    rc = contender_fitted("new", split, mix, rows, &candidate, err);
    if (rc == 0 && params->tail_target > 0)
        rc = fit_tail(split, params, &candidate, mix, out, err);
    if (rc == 0 && params->live && !params->without_gate)
        rc = judge(split, params, &candidate, out, err);
    contender_deinit(&candidate);
    return rc;
}

static int rehearse_surface(const struct dataset *d, int surface,
                            const struct rehearsal_params *params, struct recipe *recipe,
                            struct rehearsed *out, struct error *err)
{
    struct split_params cut = {
        .protocol = PROTOCOL_TIME,
        .task = surfaces[surface].task,
        .test_share = params->held_back > 0 ? params->held_back : DEFAULT_HELD_BACK,
        .questions_max = params->questions ? params->questions : DEFAULT_QUESTIONS,
        .seed = params->seed};
    struct error why = ERROR_INIT;
    struct split split;
    *out = (struct rehearsed){.mix = surfaces[surface].mix};
    int rc = split_make(d, &cut, STAGE_TEST, &split, &why);
    if (rc == ERR_INVALID) {
        snprintf(out->why_not, sizeof out->why_not, "%.150s", why.text);
        return 0;
    }
    if (rc)
        return error_set(err, rc, "%s", why.text);
    rc = fit_and_judge(&split, params, recipe, out, err);
    split_deinit(&split);
    return rc;
}

int rehearse(const struct dataset *d, const struct rehearsal_params *params, struct rehearsal *out,
             struct error *err)
{
    int rc = 0;
    *out = (struct rehearsal){0};
    if (params->menu)
        out->recipe = *params->menu;
    else
        recipe_menu(&out->recipe, d->item_count);
    progress_begin(params->progress, "rehearsing", 0);
    for (int s = 0; s < REHEARSED_COUNT && rc == 0; s++) {
        rc = rehearse_surface(d, s, params, &out->recipe, &out->surface[s], err);
        out->refused = out->refused || out->surface[s].gate.refused;
    }
    return rc;
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
