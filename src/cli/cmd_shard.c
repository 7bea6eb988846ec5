/* basketd shard. */
#include "cli.h"
#include "service/sharding.h"

#include <stdio.h>

struct flags {
    const char *support, *shards, *flist, *output, *format, *threads;
    bool stats;
};

static bool make_request(const struct flags *f, struct shard_request *q)
{
    uint64_t shards = 0, threads = 0;
    *q = (struct shard_request){.output = f->output, .flist = f->flist};
    if (!f->support || !f->shards || !f->flist) {
        cli_usage("shard: --support, --shards and --flist are all needed; try --shards 8");
        return false;
    }
    if (!cli_support(f->support, &q->support_share, &q->support) ||
        !cli_number("shards", f->shards, 1, LIMIT_SHARDS, &shards) ||
        !cli_number("threads", f->threads, 0, 1024, &threads))
        return false;
    if (f->format && !reader_format_parse(str_of(f->format), &q->format)) {
        cli_usage("--format: expected fimi, csv, ndjson or json, got '%s'", f->format);
        return false;
    }
    q->shards = (uint32_t)shards;
    q->threads = (uint32_t)threads;
    return true;
}

int cmd_shard(struct settings *settings, int argc, char **argv)
{
    struct flags f = {0};
    struct shard_request request;
    struct shard_report report = {0};
    struct error err = ERROR_INIT;
    struct progress progress;
    const struct cli_option options[] = {
        {.name = "support", .text = &f.support}, {.name = "shards", .text = &f.shards},
        {.name = "flist", .text = &f.flist},     {.name = "output", .text = &f.output},
        {.name = "format", .text = &f.format},   {.name = "threads", .text = &f.threads},
        {.name = "stats", .given = &f.stats},
    };
    (void)settings;
    if (!cli_options(options, sizeof options / sizeof options[0], &argc, argv) ||
        !make_request(&f, &request))
        return EXIT_USAGE;
    if (argc != 2)
        return cli_usage("shard: name one file of baskets, or - for standard input");
    request.path = argv[1];
    request.progress = &progress;
    progress_init(&progress);
    struct watch *watch = watch_start(&progress, NULL, &err);
    int rc = watch ? shard_run(&request, &report, &err) : (int)err.code;
    watch_stop(watch);
    if (report.input.rejected)
        fprintf(stderr, "basketd: %llu bad lines left out, the first: %s\n",
                (unsigned long long)report.input.rejected, report.input.first_problem);
    if (f.stats)
        fprintf(stderr, "baskets %u\nitems %u\nsupport %u\nlines %llu\n", report.baskets,
                report.items, report.support, (unsigned long long)report.lines);
    if (rc == 0)
        return 0;
    cli_fail(&err);
    return report.usage ? EXIT_USAGE : EXIT_FAILED;
}
