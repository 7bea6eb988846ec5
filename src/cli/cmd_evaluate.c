/* basketd evaluate: options into a request, the result as a table or as JSON. */
#include "cli.h"
#include "service/evaluating.h"
#include "service/outfile.h"

#include <stdio.h>
#include <string.h>

#define MAPS_MAX          64
#define DEFAULT_QUESTIONS 100000

struct flags {
    const char *format, *items, *protocol, *surface, *k, *models, *against, *seed, *resamples;
    const char *context_max, *targets, *questions, *test_share, *valid_share;
    const char *output, *svg, *curve;
    const char *maps[MAPS_MAX + 1];
    const char *learners[EVALUATING_LEARNERS_MAX + 1];
    bool json, priced, anonymous, bought, refit, ties, segments, canaries;
};

static bool parse_names(const struct flags *f, struct evaluating_request *q)
{
    struct split_params *s = &q->params.split;
    if (f->format && !evaldata_format_parse(str_of(f->format), &q->input.format)) {
        cli_usage("--format: expected sequences, fimi, csv, ndjson or json, got '%s'", f->format);
        return false;
    }
    int protocol = protocol_parse(str_of(f->protocol)), task = task_parse(str_of(f->surface));
    if (f->protocol && protocol < 0) {
        cli_usage("--protocol: expected time, leave-last-out or leave-one-out, got '%s'",
                  f->protocol);
        return false;
    }
    if (f->surface && task < 0) {
        cli_usage("--surface: expected basket, personal, rebuy or session, got '%s'", f->surface);
        return false;
    }
    int curve = curve_parse(str_of(f->curve));
    if (f->curve && curve < 0) {
        cli_usage("--curve: expected novelty or diversity, got '%s'", f->curve);
        return false;
    }
    q->params.curve = f->curve ? (enum curve)curve : CURVE_NONE;
    q->protocol_given = f->protocol;
    q->task_given = f->surface;
    s->protocol = f->protocol ? (enum protocol)protocol : PROTOCOL_TIME;
    s->task = f->surface ? (enum task)task : TASK_BASKET;
    return true;
}

static bool parse_numbers(const struct flags *f, struct evaluating_request *q)
{
    struct evaluation_params *p = &q->params;
    uint64_t k = 0, seed = 1, resamples = 0, context = 0, targets = 0;
    uint64_t questions = DEFAULT_QUESTIONS;
    if (!cli_number("k", f->k, 1, LIMIT_ANSWER_ITEMS, &k) ||
        !cli_number("seed", f->seed, 0, UINT64_MAX, &seed) ||
        !cli_number("resamples", f->resamples, RESAMPLES_LEAST, 1000000, &resamples) ||
        !cli_number("context-max", f->context_max, 1, UINT32_MAX, &context) ||
        !cli_number("targets", f->targets, 1, UINT32_MAX, &targets) ||
        !cli_number("questions", f->questions, 0, UINT32_MAX, &questions) ||
        !cli_share("test-share", f->test_share, false, &p->split.test_share) ||
        !cli_share("valid-share", f->valid_share, false, &p->split.valid_share))
        return false;
    p->k = (uint32_t)k;
    p->resamples = (uint32_t)resamples;
    p->split.seed = seed;
    p->split.context_max = (uint32_t)context;
    p->split.targets = (uint32_t)targets;
    p->split.questions_max = (uint32_t)questions;
    return true;
}

static bool make_request(const struct flags *f, const char *path, const char *data,
                         struct evaluating_request *q)
{
    *q = (struct evaluating_request){.models = str_of(f->models), .against = str_of(f->against)};
    q->input = (struct evaldata_request){.path = path,
                                         .data = data,
                                         .include_items = f->items,
                                         .maps = f->maps[0] ? f->maps : NULL,
                                         .priced = f->priced};
    q->learners = f->learners;
    q->canaries = f->canaries;
    q->params.open_ties = f->ties;
    q->params.split.anonymous = f->anonymous;
    q->params.split.bought = f->bought;
    q->params.split.refit = f->refit;
    if (!path && (f->format || f->items || f->maps[0])) {
        cli_usage("--%s is about a file: name one, or leave it out for the orders in %s",
                  f->format  ? "format"
                  : f->items ? "items"
                             : "map",
                  data);
        return false;
    }
    return parse_names(f, q) && parse_numbers(f, q);
}

static int write_text(void *context, struct laneout *out, struct error *err)
{
    const struct buf *text = context;
    struct outlane *lane = laneout_open(out, NULL);
    if (!lane || text->failed)
        return error_set(err, ERR_NOMEM, "output: out of memory");
    if (laneout_reserve(lane, text->len)) {
        memcpy(lane->at, text->ptr, text->len);
        lane->at += text->len;
    }
    laneout_close(lane);
    return 0;
}

/* Hands over the text, whatever happens. */
static int put(const char *path, struct buf *text)
{
    struct error err = ERROR_INIT;
    int rc = outfile_write(path, write_text, text, NULL, &err);
    buf_deinit(text);
    return rc ? cli_fail(&err) : 0;
}

static int print_report(const struct flags *f, const struct evaluating_report *r)
{
    struct buf out, chart;
    buf_init(&out, 0);
    buf_init(&chart, 0);
    if (r->rejected)
        fprintf(stderr, "basketd: %llu bad lines left out, the first: %s\n",
                (unsigned long long)r->rejected, r->first_problem);
    if (f->json)
        report_json(&r->evaluation, &r->params, &r->input, &out);
    else
        report_table(&r->evaluation, &r->params, &r->input, f->segments, &out);
    int status = put(f->output, &out);
    if (f->svg && status == 0) {
        (r->params.curve ? report_curve_svg : report_svg)(&r->evaluation, &r->params, &r->input,
                                                          &chart);
        status = put(f->svg, &chart);
    }
    for (int c = 0; status == 0 && r->input.canaries && c < CANARY_COUNT; c++)
        if (!r->input.canaries[c].passed)
            status = cli_fail(
                &(struct error){.code = ERR_INTERNAL,
                                .text = "a leak canary failed; the figures are worth nothing"});
    return status;
}

static int run(const struct flags *f, const struct evaluating_request *q)
{
    struct evaluating_request request = *q;
    struct error err = ERROR_INIT;
    struct evaluating_report report = {0};
    struct progress progress;
    progress_init(&progress);
    request.input.progress = &progress;
    request.params.progress = &progress;
    struct watch *watch = watch_start(&progress, NULL, &err);
    int rc = watch ? evaluating_run(&request, &report, &err) : (int)err.code;
    watch_stop(watch);
    if (rc == 0)
        return print_report(f, &report);
    cli_fail(&err);
    return watch && report.usage ? EXIT_USAGE : EXIT_FAILED;
}

int cmd_evaluate(struct settings *settings, int argc, char **argv)
{
    struct flags f = {0};
    struct evaluating_request request;
    const struct cli_option options[] = {
        {.name = "format", .text = &f.format},
        {.name = "items", .text = &f.items},
        {.name = "map", .list = f.maps, .list_max = MAPS_MAX},
        {.name = "priced", .given = &f.priced},
        {.name = "protocol", .text = &f.protocol},
        {.name = "surface", .text = &f.surface},
        {.name = "anonymous", .given = &f.anonymous},
        {.name = "bought", .given = &f.bought},
        {.name = "refit", .given = &f.refit},
        {.name = "k", .text = &f.k},
        {.name = "models", .text = &f.models},
        {.name = "learner", .list = f.learners, .list_max = EVALUATING_LEARNERS_MAX},
        {.name = "against", .text = &f.against},
        {.name = "curve", .text = &f.curve},
        {.name = "seed", .text = &f.seed},
        {.name = "resamples", .text = &f.resamples},
        {.name = "context-max", .text = &f.context_max},
        {.name = "targets", .text = &f.targets},
        {.name = "questions", .text = &f.questions},
        {.name = "test-share", .text = &f.test_share},
        {.name = "valid-share", .text = &f.valid_share},
        {.name = "expected-ties", .given = &f.ties},
        {.name = "segments", .given = &f.segments},
        {.name = "canaries", .given = &f.canaries},
        {.name = "svg", .text = &f.svg},
        {.name = "json", .given = &f.json},
        {.name = "output", .text = &f.output},
    };
    if (!cli_options(options, sizeof options / sizeof options[0], &argc, argv))
        return EXIT_USAGE;
    if (argc > 2)
        return cli_usage("evaluate: one file at a time, got also '%s'", argv[2]);
    if (!make_request(&f, argc == 2 ? argv[1] : NULL, settings->data, &request))
        return EXIT_USAGE;
    request.params.threads = settings->threads;
    request.params.keep = settings->neighbours;
    return run(&f, &request);
}
