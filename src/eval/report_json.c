#include "eval/report.h"

#include "base/version.h"

#include <math.h>

static void number(struct buf *out, const char *name, double value)
{
    buf_printf(out, "\"%s\":", name);
    buf_f64(out, value);
}

static void text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    buf_json_str(out, str_of(value));
}

static void add_program(struct buf *out)
{
    buf_text(out, "\"program\":{");
    text(out, "name", "basketd");
    buf_char(out, ',');
    text(out, "version", basketd_version());
    buf_char(out, ',');
    text(out, "commit", basketd_commit());
    buf_text(out, "},");
}

static void add_data(const struct evaluation *e, const struct report_input *input, struct buf *out)
{
    buf_text(out, "\"data\":{");
    text(out, "source", input->source);
    buf_char(out, ',');
    text(out, "format", input->format);
    buf_printf(out,
               ",\"hash\":\"%016llx\",\"orders\":%u,\"lines\":%llu,\"items\":%u,\"shoppers\":%u},",
               (unsigned long long)input->hash, e->data.orders, (unsigned long long)e->data.lines,
               e->data.items, e->data.shoppers);
}

static void add_configuration(const struct evaluation *e, const struct evaluation_params *params,
                              const struct report_input *input, struct buf *out)
{
    const struct split_params *s = &params->split;
    buf_text(out, "\"configuration\":{");
    text(out, "protocol", protocol_name(s->protocol));
    buf_char(out, ',');
    text(out, "surface", task_name(s->task));
    if (params->curve) {
        buf_char(out, ',');
        text(out, "curve", curve_name(params->curve));
        buf_char(out, ',');
        text(out, "model", input->model);
    }
    if (s->protocol != PROTOCOL_LEAVE_LAST_OUT) {
        buf_char(out, ',');
        number(out, "test_share", s->test_share);
        buf_char(out, ',');
        number(out, "valid_share", s->valid_share);
    } else {
        buf_printf(out, ",\"refit\":%s", s->refit ? "true" : "false");
    }
    if (s->task == TASK_BASKET)
        buf_printf(out, ",\"targets\":%u,\"context_max\":%u", s->targets, s->context_max);
    if (s->task == TASK_PERSONAL)
        buf_printf(out, ",\"bought\":%s", s->bought ? "true" : "false");
    if (s->task == TASK_BASKET)
        buf_printf(out, ",\"anonymous\":%s", s->anonymous ? "true" : "false");
    buf_printf(out,
               ",\"neighbours\":%u,\"questions_max\":%u,\"k\":%u,\"seed\":%llu,\"resamples\":%u,"
               "\"ties\":\"%s\"},",
               params->keep, s->questions_max, e->k, (unsigned long long)s->seed, e->resamples,
               params->open_ties ? "expected" : "total order");
}

static void add_split(const struct evaluation *e, struct buf *out)
{
    buf_printf(out,
               "\"split\":{\"train_orders\":%u,\"train_lines\":%llu,\"train_items\":%u,"
               "\"train_shoppers\":%u,\"questions\":%u,\"clusters\":%u,\"targets\":%llu,"
               "\"unknown_targets\":%llu,\"repeat_targets\":%llu,\"unasked_orders\":%llu,"
               "\"seen_baskets\":%llu},",
               e->train.orders, (unsigned long long)e->train.lines, e->train.items,
               e->train.shoppers, e->questions, e->clusters, (unsigned long long)e->targets,
               (unsigned long long)e->unknown_targets, (unsigned long long)e->repeat_targets,
               (unsigned long long)e->unasked_orders, (unsigned long long)e->seen_baskets);
}

static void add_metrics(const struct evaluation *e, const struct model_result *m, struct buf *out)
{
    buf_char(out, '{');
    for (int q = 0; q < QUALITY_COUNT; q++) {
        for (uint32_t c = 0; c < e->cutoff_count; c++) {
            buf_printf(out, "\"%s@%u\":", quality_name((enum quality)q), e->cutoffs[c]);
            buf_f64(out, m->quality[q][c]);
            buf_char(out, ',');
        }
    }
    for (uint32_t c = 0; c < e->cutoff_count; c++) {
        buf_printf(out, "\"coverage@%u\":", e->cutoffs[c]);
        buf_f64(out, m->coverage[c]);
        buf_char(out, ',');
    }
    const struct {
        const char *name;
        double value;
    } lists[] = {{"gini", m->lists.gini},
                 {"novelty", m->lists.novelty},
                 {"diversity", m->lists.diversity},
                 {"tail_share", m->lists.tail_share}};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        buf_text(out, i ? "," : "");
        buf_printf(out, "\"%s@%u\":", lists[i].name, e->k);
        buf_f64(out, lists[i].value);
    }
    buf_char(out, '}');
}

static void add_interval(const struct evaluation *e, enum tested t, const struct interval *i,
                         const double *adjusted, struct buf *out)
{
    buf_printf(out, "%s\"%s@%u\":{", t ? "," : "", quality_name(tested_quality(t)), e->k);
    if (adjusted) {
        number(out, "difference", i->value);
        buf_char(out, ',');
    }
    number(out, "low", i->low);
    buf_char(out, ',');
    number(out, "high", i->high);
    if (adjusted) {
        buf_char(out, ',');
        number(out, "p", i->p);
        buf_char(out, ',');
        number(out, "p_holm", *adjusted);
    }
    buf_char(out, '}');
}

static void add_segments(const struct evaluation *e, const struct model_result *m, struct buf *out)
{
    bool first = true;
    buf_text(out, "\"segments\":{");
    for (int s = SEGMENT_ALL + 1; s < SEGMENT_COUNT; s++) {
        const struct segment_result *r = &m->segments[s];
        if (!r->questions)
            continue;
        buf_printf(out, "%s\"%s\":{\"questions\":%u", first ? "" : ",",
                   segment_name((enum segment)s), r->questions);
        for (int t = 0; t < TESTED_COUNT; t++) {
            buf_printf(out, ",\"%s@%u\":", quality_name(tested_quality((enum tested)t)), e->k);
            buf_f64(out, r->value[t]);
        }
        buf_char(out, '}');
        first = false;
    }
    buf_text(out, "},");
}

static void add_cost(const struct model_result *m, struct buf *out)
{
    buf_text(out, "\"cost\":{");
    number(out, "train_cpu_s", m->cost.train_cpu_s);
    buf_char(out, ',');
    number(out, "train_wall_s", m->cost.train_wall_s);
    buf_printf(out, ",\"rss\":%llu,\"bytes\":%llu,\"us_per_query\":{",
               (unsigned long long)m->cost.peak_rss, (unsigned long long)m->cost.bytes);
    number(out, "p50", m->answer_us_p50);
    buf_char(out, ',');
    number(out, "p99", m->answer_us_p99);
    buf_text(out, "}}");
}

static void add_model(const struct evaluation *e, uint32_t model, struct buf *out)
{
    const struct model_result *m = &e->models[model];
    buf_printf(out, "%s\"%s\":{\"baseline\":%s,\"metrics\":", model ? "," : "", m->name,
               m->baseline ? "true" : "false");
    add_metrics(e, m, out);
    buf_text(out, ",\"intervals\":{");
    for (int t = 0; t < TESTED_COUNT; t++)
        add_interval(e, (enum tested)t, &m->interval[t], NULL, out);
    buf_text(out, "},");
    if (model != e->against) {
        buf_printf(out, "\"against\":{\"model\":\"%s\",", e->models[e->against].name);
        for (int t = 0; t < TESTED_COUNT; t++)
            add_interval(e, (enum tested)t, &m->difference[t], &m->adjusted_p[t], out);
        buf_text(out, "},");
    }
    add_segments(e, m, out);
    add_cost(m, out);
    buf_char(out, '}');
}

static void add_canary(const struct canary_result *c, enum canary kind, struct buf *out)
{
    buf_printf(out, "%s\"%s\":{\"passed\":%s,\"planted_leak\":{\"found\":%s,", kind ? "," : "",
               canary_name(kind), c->passed ? "true" : "false",
               c->planted_fired ? "true" : "false");
    number(out, "low", c->planted_gain.low);
    buf_text(out, "},\"models\":{");
    for (uint32_t m = 0; m < c->model_count; m++) {
        buf_printf(out, "%s\"%s\":{\"must_fall\":%s,\"fired\":%s,", m ? "," : "", c->models[m].name,
                   c->models[m].must_fall ? "true" : "false",
                   c->models[m].fired ? "true" : "false");
        number(out, "gain", c->models[m].gain.value);
        buf_char(out, ',');
        number(out, "low", c->models[m].gain.low);
        buf_char(out, ',');
        number(out, "high", c->models[m].gain.high);
        buf_char(out, '}');
    }
    buf_text(out, "}}");
}

static void add_canaries(const struct report_input *input, struct buf *out)
{
    if (!input->canaries)
        return;
    buf_text(out, "\"canaries\":{");
    for (int c = 0; c < CANARY_COUNT; c++)
        add_canary(&input->canaries[c], (enum canary)c, out);
    buf_text(out, "},");
}

void report_json(const struct evaluation *e, const struct evaluation_params *params,
                 const struct report_input *input, struct buf *out)
{
    buf_char(out, '{');
    add_program(out);
    add_data(e, input, out);
    add_configuration(e, params, input, out);
    add_split(e, out);
    add_canaries(input, out);
    buf_text(out, "\"metrics\":{");
    for (uint32_t m = 0; m < e->model_count; m++) {
        buf_printf(out, "%s\"%s\":", m ? "," : "", e->models[m].name);
        add_metrics(e, &e->models[m], out);
    }
    buf_text(out, "},\"models\":{");
    for (uint32_t m = 0; m < e->model_count; m++)
        add_model(e, m, out);
    buf_text(out, "}}\n");
}
