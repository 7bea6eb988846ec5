/* A chart that stands by itself: no fonts, scripts or files of others, no background; its colours
 * are in the middle, legible on white and on black. */
#include "eval/report.h"

#include <string.h>

#define ROW    26.0 /* height of a model's line */
#define TOP    78.0
#define LABELS 150.0 /* width of the names */
#define PANEL  330.0 /* width of a quality, its figure included */
#define BAR    230.0 /* of the largest value */
#define BOTTOM 34.0

static const char style[] =
    "<style>text{font:13px system-ui,sans-serif;fill:#6b7684}.small{font-size:11px}"
    ".head{font-weight:600}.model{fill:#2f7fd0}.base{fill:#8a94a0}rect{fill-opacity:.5}"
    ".ci{stroke:#6b7684;stroke-width:1.4;fill:none}.axis{stroke:#8a94a0;stroke-opacity:.35}"
    "</style>\n";

void report_svg_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            buf_text(out, "&amp;");
        else if (*text == '<')
            buf_text(out, "&lt;");
        else if ((unsigned char)*text >= ' ')
            buf_char(out, *text);
    }
}

/* A step of an axis such that the largest value takes two to five of them. */
static double step_of(double most)
{
    double step = 1;
    while (step * 2 > most)
        step /= 10;
    while (step * 5 < most)
        step *= step * 10 < most ? 10 : 2;
    return step;
}

static double most_of(const struct evaluation *e, enum tested t)
{
    double most = 0;
    for (uint32_t m = 0; m < e->model_count; m++)
        if (e->models[m].interval[t].high > most)
            most = e->models[m].interval[t].high;
    return most > 0 ? most : 1;
}

static void add_axis(double left, double bottom, double most, struct buf *out)
{
    double step = step_of(most);
    for (int n = 0; n * step <= most; n++) {
        double x = left + n * step / most * BAR;
        buf_printf(out,
                   "<path class=\"axis\" d=\"M%.1f %.1fV%.1f\"/>"
                   "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
                   x, TOP - 6, bottom, x, bottom + 15, n * step);
    }
}

static void add_bar(const struct model_result *m, const struct interval *i, double left, double y,
                    double scale, struct buf *out)
{
    double middle = y + ROW / 2;
    buf_printf(out,
               "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>"
               "<path class=\"ci\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>"
               "<text x=\"%.1f\" y=\"%.1f\">%.4f</text>\n",
               m->baseline ? "base" : "model", left, y + 4, i->value * scale, ROW - 8,
               left + i->low * scale, middle, left + i->high * scale, left + i->low * scale,
               middle - 4, left + i->high * scale, middle - 4, left + i->high * scale + 8,
               middle + 4.5, i->value);
}

static void add_panel(const struct evaluation *e, enum tested t, double left, struct buf *out)
{
    double most = most_of(e, t);
    buf_printf(out, "<text class=\"head\" x=\"%.1f\" y=\"%.1f\">%s@%u</text>\n", left, TOP - 14,
               quality_name(tested_quality(t)), e->k);
    add_axis(left, TOP + e->model_count * ROW, most, out);
    for (uint32_t m = 0; m < e->model_count; m++)
        add_bar(&e->models[m], &e->models[m].interval[t], left, TOP + m * ROW, BAR / most, out);
}

void report_svg(const struct evaluation *e, const struct evaluation_params *params,
                const struct report_input *input, struct buf *out)
{
    double width = LABELS + 2 * PANEL, height = TOP + e->model_count * ROW + BOTTOM;
    bool many = e->targets > e->questions; /* targets a question: recall says more than hits */
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
               "height=\"%.0f\" role=\"img\">\n",
               width, height, width, height);
    buf_text(out, style);
    buf_text(out, "<text class=\"head\" x=\"12\" y=\"22\">");
    const char *name = strrchr(input->source, '/');
    report_svg_text(out, name ? name + 1 : input->source);
    buf_printf(out,
               "</text>\n<text class=\"small\" x=\"12\" y=\"40\">protocol %s, surface %s, %u "
               "questions of %u clusters; lines: 95 %% of %u resamples</text>\n",
               protocol_name(params->split.protocol), task_name(params->split.task), e->questions,
               e->clusters, e->resamples);
    for (uint32_t m = 0; m < e->model_count; m++)
        buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LABELS - 10,
                   TOP + m * ROW + ROW / 2 + 4.5, e->models[m].name);
    add_panel(e, many ? TESTED_RECALL : TESTED_HR, LABELS, out);
    add_panel(e, TESTED_NDCG, LABELS + PANEL, out);
    buf_text(out, "</svg>\n");
}
