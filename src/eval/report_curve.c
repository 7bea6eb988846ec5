/* The chart of a curve: what is given up on the left, what is gained on the right, by the knob's
 * value. Stands by itself as report_svg.c's does. */
#include "eval/report.h"

#include <math.h>
#include <string.h>

#define WIDTH  760.0
#define HEIGHT 330.0
#define TOP    92.0
#define BOTTOM 286.0
#define PANEL  280.0
#define LEFT   52.0
#define RIGHT  430.0
#define STEPS  5

static const char style[] =
    "<style>text{font:13px system-ui,sans-serif;fill:#6b7684}.small{font-size:11px}"
    ".head{font-weight:600}path{fill:none}.axis{stroke:#8a94a0;stroke-opacity:.35}"
    ".a{stroke:#2f7fd0}.b{stroke:#d0702f}.c{stroke:#3f9a5f}.line{stroke-width:2}"
    ".band{fill:#2f7fd0;fill-opacity:.15;stroke:none}</style>\n";

struct series {
    const char *name, *colour; /* class of the style */
    double values[MODELS_MAX];
};

struct panel {
    const struct curve_point *points;
    uint32_t count;
    double left, most; /* of the y axis */
    struct buf *out;
};

static double x_of(const struct panel *p, uint32_t n)
{
    return p->left + PANEL * p->points[n].value / p->points[p->count - 1].value;
}

static double y_of(const struct panel *p, double value)
{
    return BOTTOM - (BOTTOM - TOP) * value / p->most;
}

static void add_axes(const struct panel *p, const char *knob)
{
    for (int n = 0; n <= STEPS; n++) {
        double value = p->most * n / STEPS, y = y_of(p, value);
        double at = p->points[p->count - 1].value * n / STEPS;
        buf_printf(p->out,
                   "<path class=\"axis\" d=\"M%.1f %.1fh%.1f\"/><text class=\"small\" x=\"%.1f\" "
                   "y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                   p->left, y, PANEL, p->left - 6, y + 4, value);
        buf_printf(
            p->out,
            "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n",
            p->left + PANEL * n / STEPS, BOTTOM + 16, at);
    }
    buf_printf(p->out,
               "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
               p->left + PANEL / 2, BOTTOM + 34, knob);
}

static void add_line(const struct panel *p, const struct series *s, uint32_t place)
{
    double x = p->left + place * PANEL / 3;
    buf_printf(p->out, "<path class=\"line %s\" d=\"", s->colour);
    for (uint32_t n = 0; n < p->count; n++)
        buf_printf(p->out, "%s%.1f %.1f", n ? "L" : "M", x_of(p, n), y_of(p, s->values[n]));
    buf_printf(
        p->out,
        "\"/>\n<path class=\"line %s\" d=\"M%.1f %.1fh14\"/><text class=\"small\" x=\"%.1f\" "
        "y=\"%.1f\">%s</text>\n",
        s->colour, x, TOP - 18, x + 18, TOP - 14, s->name);
}

/* The 95 % interval of the NDCG. */
static void add_band(const struct panel *p, const struct evaluation *e)
{
    buf_text(p->out, "<path class=\"band\" d=\"");
    for (uint32_t n = 0; n < p->count; n++)
        buf_printf(p->out, "%s%.1f %.1f", n ? "L" : "M", x_of(p, n),
                   y_of(p, e->models[n].interval[TESTED_NDCG].high));
    for (uint32_t n = p->count; n-- > 0;)
        buf_printf(p->out, "L%.1f %.1f", x_of(p, n),
                   y_of(p, e->models[n].interval[TESTED_NDCG].low));
    buf_text(p->out, "Z\"/>\n");
}

/* The next of .01, .02, .05, .1, … that is not below. */
static double round_up(double most)
{
    double unit = pow(10, floor(log10(most > 0 ? most : 1)));
    double times = most / unit;
    return unit * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 2.5 ? 2.5 : times <= 5 ? 5 : 10);
}

static void take_values(const struct evaluation *e, struct series *s)
{
    uint32_t at = 0;
    while (e->cutoffs[at] != e->k)
        at++;
    for (uint32_t m = 0; m < e->model_count; m++) {
        const struct model_result *r = &e->models[m];
        s[0].values[m] = r->quality[QUALITY_NDCG][at];
        s[1].values[m] = r->quality[QUALITY_RECALL][at];
        s[2].values[m] = r->coverage[at];
        s[3].values[m] = r->lists.tail_share;
        s[4].values[m] = r->lists.diversity;
    }
}

void report_curve_svg(const struct evaluation *e, const struct evaluation_params *params,
                      const struct report_input *input, struct buf *out)
{
    struct series s[] = {{.name = "NDCG", .colour = "a"},
                         {.name = "recall", .colour = "b"},
                         {.name = "coverage", .colour = "a"},
                         {.name = "tail share", .colour = "b"},
                         {.name = "diversity", .colour = "c"}};
    const char *slash = strrchr(input->source, '/');
    double most = 0;
    struct panel p = {.left = LEFT, .out = out};
    p.points = curve_points(params->curve, &p.count);
    take_values(e, s);
    for (uint32_t n = 0; n < p.count; n++) {
        most = fmax(most, e->models[n].interval[TESTED_NDCG].high);
        most = fmax(most, s[1].values[n]);
    }
    p.most = round_up(most);
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
               "height=\"%.0f\" role=\"img\">\n%s<text class=\"head\" x=\"12\" y=\"22\">",
               WIDTH, HEIGHT, WIDTH, HEIGHT, style);
    report_svg_text(out, slash ? slash + 1 : input->source);
    buf_printf(
        out,
        ": %s by %s</text>\n<text class=\"small\" x=\"12\" y=\"40\">protocol %s, surface %s, "
        "%u questions, first %u of each list; band: 95 %% of the NDCG</text>\n",
        input->model, curve_name(params->curve), protocol_name(params->split.protocol),
        task_name(params->split.task), e->questions, e->k);
    add_axes(&p, curve_name(params->curve));
    add_band(&p, e);
    add_line(&p, &s[0], 0);
    add_line(&p, &s[1], 1);
    p.left = RIGHT;
    p.most = 1;
    add_axes(&p, curve_name(params->curve));
    for (uint32_t x = 2; x < 5; x++)
        add_line(&p, &s[x], x - 2);
    buf_text(out, "</svg>\n");
}
