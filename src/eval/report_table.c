#include "eval/report.h"

#include <stdio.h>
#include <string.h>

static double at_cutoff(const struct evaluation *e, const double *values, uint32_t k)
{
    for (uint32_t c = 0; c < e->cutoff_count; c++)
        if (e->cutoffs[c] == k)
            return values[c];
    return 0;
}

static void add_asked(const struct evaluation *e, const struct evaluation_params *params,
                      const struct report_input *input, struct buf *out)
{
    buf_printf(out, "%s: %u orders, %llu lines, %u items, %u shoppers\n", input->source,
               e->data.orders, (unsigned long long)e->data.lines, e->data.items, e->data.shoppers);
    buf_printf(out, "protocol %s, surface %s: learnt from %u orders with %u items, %u questions, ",
               protocol_name(params->split.protocol), task_name(params->split.task),
               e->train.orders, e->train.items, e->questions);
    buf_printf(out, "%llu targets", (unsigned long long)e->targets);
    if (e->unknown_targets)
        buf_printf(out, ", %llu of unknown items", (unsigned long long)e->unknown_targets);
    if (e->repeat_targets)
        buf_printf(out, ", %llu bought before: both always missed",
                   (unsigned long long)e->repeat_targets);
    if (e->seen_baskets)
        buf_printf(out, "; %llu baskets are also in the training",
                   (unsigned long long)e->seen_baskets);
    buf_text(out, "\n\n");
}

/* Of the column of names; learners' are as long as what they were told. */
static int name_width(const struct evaluation *e)
{
    size_t width = 16;
    for (uint32_t i = 0; i < e->model_count; i++) {
        size_t length = strlen(e->models[i].name);
        width = length > width ? length : width;
    }
    return (int)width;
}

static void add_models(const struct evaluation *e, struct buf *out)
{
    char hr[16], ndcg[16], mrr[16], map[16], coverage[16], tail[16], unlike[16];
    snprintf(hr, sizeof hr, "hr@%u", e->k);
    snprintf(ndcg, sizeof ndcg, "ndcg@%u", e->k);
    snprintf(mrr, sizeof mrr, "mrr@%u", e->k);
    snprintf(map, sizeof map, "map@%u", e->k);
    snprintf(coverage, sizeof coverage, "cover@%u", e->k);
    snprintf(tail, sizeof tail, "tail@%u", e->k);
    snprintf(unlike, sizeof unlike, "unlike@%u", e->k);
    int width = name_width(e);
    buf_printf(out, "%-*s %7s %8s %15s %8s %8s %8s %7s %9s %6s %7s %7s %7s %7s\n", width, "model",
               hr, ndcg, "95 % interval", mrr, map, coverage, tail, unlike, "gini", "train s",
               "us p50", "us p99", "MB");
    for (uint32_t i = 0; i < e->model_count; i++) {
        const struct model_result *m = &e->models[i];
        const struct interval *ci = &m->interval[TESTED_NDCG];
        buf_printf(out, "%-*s %7.4f %8.4f  %6.4f - %6.4f %8.4f %8.4f %8.3f %7.3f %9.3f %6.3f",
                   width, m->name, at_cutoff(e, m->quality[QUALITY_HR], e->k),
                   at_cutoff(e, m->quality[QUALITY_NDCG], e->k), ci->low, ci->high,
                   at_cutoff(e, m->quality[QUALITY_MRR], e->k),
                   at_cutoff(e, m->quality[QUALITY_MAP], e->k), at_cutoff(e, m->coverage, e->k),
                   m->lists.tail_share, m->lists.diversity, m->lists.gini);
        buf_printf(out, " %7.2f %7.1f %7.1f %7.1f\n", m->cost.train_cpu_s, m->answer_us_p50,
                   m->answer_us_p99, (double)m->cost.bytes / 1e6);
    }
}

static void add_comparison(const struct evaluation *e, struct buf *out)
{
    buf_printf(out,
               "\nagainst %s, paired, %u resamples of %u clusters, p adjusted for all (Holm):\n",
               e->models[e->against].name, e->resamples, e->clusters);
    for (uint32_t i = 0; i < e->model_count; i++) {
        if (i == e->against)
            continue;
        buf_printf(out, "%-*s", name_width(e), e->models[i].name);
        for (int t = 0; t < TESTED_COUNT; t++) {
            const struct interval *d = &e->models[i].difference[t];
            if (t == TESTED_RECALL && e->targets == e->questions)
                continue; /* the same as the hit rate */
            buf_printf(out, "  %s@%u %+.4f (%+.4f %+.4f) p %.4f",
                       quality_name(tested_quality((enum tested)t)), e->k, d->value, d->low,
                       d->high, e->models[i].adjusted_p[t]);
        }
        buf_char(out, '\n');
    }
}

static void add_segments(const struct evaluation *e, struct buf *out)
{
    int width = name_width(e) > 16 ? name_width(e) : 14;
    buf_printf(out, "\nndcg@%u by segment:\n%-16s", e->k, "");
    for (uint32_t i = 0; i < e->model_count; i++)
        buf_printf(out, " %*s", width, e->models[i].name);
    buf_text(out, "   questions\n");
    for (int s = SEGMENT_ALL + 1; s < SEGMENT_COUNT; s++) {
        if (!e->models[0].segments[s].questions)
            continue;
        buf_printf(out, "%-16.16s", segment_name((enum segment)s));
        for (uint32_t i = 0; i < e->model_count; i++)
            buf_printf(out, " %*.4f", width, e->models[i].segments[s].value[TESTED_NDCG]);
        buf_printf(out, " %11u\n", e->models[0].segments[s].questions);
    }
}

static void add_canaries(const struct canary_result *canaries, struct buf *out)
{
    buf_text(out, "\nleak canaries, NDCG over popularity where nothing is left to learn:\n");
    for (int c = 0; c < CANARY_COUNT; c++) {
        const struct canary_result *r = &canaries[c];
        buf_printf(out, "%-16s %s; planted leak %s\n", canary_name((enum canary)c),
                   r->passed ? "passed" : "FAILED", r->planted_fired ? "found" : "NOT found");
        for (uint32_t m = 0; m < r->model_count; m++)
            if (r->models[m].fired)
                buf_printf(out, "  %s sees what it should not: %+.4f (%+.4f %+.4f)\n",
                           r->models[m].name, r->models[m].gain.value, r->models[m].gain.low,
                           r->models[m].gain.high);
    }
}

void report_table(const struct evaluation *e, const struct evaluation_params *params,
                  const struct report_input *input, bool segments, struct buf *out)
{
    add_asked(e, params, input, out);
    add_models(e, out);
    if (e->model_count > 1)
        add_comparison(e, out);
    if (segments)
        add_segments(e, out);
    if (input->canaries)
        add_canaries(input->canaries, out);
}
