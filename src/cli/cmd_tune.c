/* basketd tune: options into a request, what came of it for people or as JSON. */
#include "cli.h"
#include "service/tuning.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_BUDGET "10m"

static int print_tuned(const struct tuning_request *q, const struct tuning_report *r, bool json)
{
    const struct tuned *t = &r->tuned;
    struct buf out;
    buf_init(&out, 0);
    if (json) {
        tuning_json(q, r, &out);
        buf_char(&out, '\n');
        return cli_print(&out);
    }
    buf_printf(&out, "%u menus tried for %s, %u taken over from earlier runs%s\n", t->tries,
               mix_name(q->mix), r->resumed,
               t->complete ? "" : "; the time ran out: the same command goes on from here");
    if (t->number == 0)
        buf_text(&out, "none was better than the usual menu\n");
    else
        buf_printf(&out,
                   "menu %u: NDCG@10 %.4f, the usual one %.4f, on %u questions of the newest "
                   "orders\ndifference %+.4f (%+.4f to %+.4f): %s\n",
                   t->number, t->ndcg_tuned, t->ndcg_usual, t->questions, t->difference.value,
                   t->difference.low, t->difference.high,
                   t->adopted ? "adopted, the next training starts from it"
                              : "not more than chance, not adopted");
    return cli_print(&out);
}

int cmd_tune(struct settings *settings, int argc, char **argv)
{
    const char *surface = "basket", *budget = DEFAULT_BUDGET, *seed = NULL, *tries = NULL;
    bool json = false;
    const struct cli_option options[] = {{.name = "surface", .text = &surface},
                                         {.name = "budget", .text = &budget},
                                         {.name = "seed", .text = &seed},
                                         {.name = "tries", .text = &tries},
                                         {.name = "json", .given = &json}};
    struct error err = ERROR_INIT;
    uint64_t seed_number = 1, try_count = 0;
    struct tuning_request q = {
        .data = settings->data, .threads = settings->threads, .keep = settings->neighbours};
    if (!cli_options(options, sizeof options / sizeof *options, &argc, argv) ||
        !cli_number("seed", seed, 0, INT64_MAX, &seed_number) ||
        !cli_number("tries", tries, 2, TUNE_TRIES_MAX, &try_count))
        return EXIT_USAGE;
    if (argc > 1)
        return cli_usage("tune takes no '%s'", argv[1]);
    if (!settings_parse_duration(str_of(budget), &q.budget_ms) || q.budget_ms <= 0)
        return cli_usage("--budget: expected a time such as 30s, 10m or 2h, got '%s'", budget);
    if (strcmp(surface, "basket") != 0 && strcmp(surface, "personal") != 0)
        return cli_usage("--surface: expected basket or personal, got '%s'", surface);
    q.mix = strcmp(surface, "basket") == 0 ? MIX_BASKET : MIX_PERSONAL;
    q.seed = seed_number;
    q.tries = (uint32_t)try_count;
    struct progress progress;
    struct tuning_report report = {0};
    progress_init(&progress);
    q.progress = &progress;
    struct watch *watch = watch_start(&progress, NULL, &err);
    int rc = watch ? tuning_run(&q, &report, &err) : (int)err.code;
    watch_stop(watch);
    return rc ? cli_fail(&err) : print_tuned(&q, &report, json);
}
