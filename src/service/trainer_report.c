/* What is kept of a training, as JSON: its parameters, what came of it. */
#include "service/trainer.h"

#include "eval/rehearsal.h"
#include "ingest/record.h"

void train_parameters_json(const struct settings *s, struct buf *out)
{
    buf_text(out, "{\"min_support\":");
    if (*s->min_support)
        buf_json_str(out, str_of(s->min_support));
    else
        buf_text(out, "null");
    buf_text(out, ",\"min_confidence\":");
    buf_f64(out, s->min_confidence);
    buf_text(out, ",\"min_lift\":");
    buf_f64(out, s->min_lift);
    buf_text(out, ",\"max_q\":");
    buf_f64(out, s->max_q);
    buf_printf(out,
               ",\"tail_target\":%g,\"productive\":%s,\"max_length\":%u,\"max_itemsets\":%llu,"
               "\"max_rules\":%llu,"
               "\"neighbours\":%u,"
               "\"embeddings\":%s,\"max_order_items\":%u,\"max_events\":%u,\"events\":{",
               s->tail_target, s->productive ? "true" : "false", s->max_length,
               (unsigned long long)s->max_itemsets, (unsigned long long)s->max_rules, s->neighbours,
               s->embeddings ? "true" : "false", s->max_order_items, s->max_events);
    for (int k = 0; k < ACTION_COUNT; k++) {
        const struct event_weight *w = &s->event_weights.of[k];
        buf_printf(out, "%s\"%s\":{\"weight\":", k ? "," : "", event_kind_name(k));
        buf_f64(out, w->weight);
        buf_text(out, ",\"half_life_days\":");
        buf_f64(out, w->half_life_days);
        buf_char(out, '}');
    }
    buf_text(out, "}}");
}

static void steps_json(const struct build_report *report, struct buf *out)
{
    buf_text(out, "\"steps\":[");
    for (uint32_t i = 0; i < report->step_count; i++) {
        const struct build_step *step = &report->steps[i];
        buf_printf(out, "%s{\"name\":", i ? "," : "");
        buf_json_str(out, str_of(step->name));
        buf_text(out, ",\"wall_s\":");
        buf_f64(out, step->wall_s);
        buf_text(out, ",\"cpu_s\":");
        buf_f64(out, step->cpu_s);
        buf_printf(out, ",\"bytes\":%llu,\"count\":%llu}", (unsigned long long)step->bytes,
                   (unsigned long long)step->count);
    }
    buf_char(out, ']');
}

void train_outcome_json(const struct train_outcome *o, struct buf *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"orders", o->orders},
                  {"lines", o->lines},
                  {"items", o->items},
                  {"users", o->users},
                  {"events", o->events},
                  {"sessions", o->sessions},
                  {"rules", o->rules},
                  {"skipped_orders", o->skipped_orders},
                  {"damaged_orders", o->damaged_orders},
                  {"min_support", o->build.min_support},
                  {"rules_cut", o->build.rules_cut},
                  {"rules_tested", o->build.rules_tested},
                  {"model_bytes", o->model_bytes},
                  {"estimate_bytes", o->build.estimate_bytes},
                  {"rehearsal_estimate_bytes", o->rehearsal_estimate_bytes},
                  {"peak_rss_bytes", o->peak_rss_bytes}};
    const struct {
        const char *name;
        double value;
    } seconds[] = {{"load", o->load_s},
                   {"rehearsal", o->rehearsal_s},
                   {"build", o->build_s},
                   {"save", o->save_s},
                   {"total", o->total_s}};
    buf_printf(out, "{\"model\":%lld,\"support_raised\":%s", (long long)o->model_id,
               o->build.support_raised ? "true" : "false");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        buf_printf(out, ",\"%s\":%llu", counts[i].name, (unsigned long long)counts[i].value);
    buf_text(out, ",\"seconds\":{");
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", seconds[i].name);
        buf_f64(out, seconds[i].value);
    }
    buf_text(out, "},");
    steps_json(&o->build, out);
    buf_text(out, ",\"rehearsal\":");
    if (o->rehearsed) {
        rehearsal_json(&o->rehearsal, out);
    } else {
        buf_text(out, "null,\"not_rehearsed\":");
        buf_json_str(out, str_of(o->not_rehearsed));
    }
    buf_text(out, ",\"recipe\":");
    recipe_json(&o->recipe, out);
    buf_char(out, '}');
}
