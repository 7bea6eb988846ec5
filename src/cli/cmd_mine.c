/* basketd mine: options into a request, what came of it onto standard error. */
#include "base/clock.h"
#include "cli.h"
#include "service/mining.h"

#include <stdio.h>
#include <string.h>

#define ITEMS_MAX 64

struct flags {
    const char *support, *target, *min_length, *max_length, *threads;
    const char *max_itemsets, *memory_limit, *output, *output_format, *format;
    const char *with[ITEMS_MAX + 1], *without[ITEMS_MAX + 1];
    bool count, stats;
};

/* "88" or "0.1%". */
static bool parse_support(const char *text, struct mining_request *q)
{
    struct str s = str_of(text);
    uint64_t count;
    double share;
    if (s.len && s.ptr[s.len - 1] == '%' && str_to_f64((struct str){s.ptr, s.len - 1}, &share) &&
        share > 0 && share <= 100) {
        q->support_share = share / 100;
        return true;
    }
    if (str_to_u64(s, &count) && count >= 1 && count <= UINT32_MAX) {
        q->support = (uint32_t)count;
        return true;
    }
    if (str_to_f64(s, &share) && share > 0 && share < 1)
        cli_usage("--support: is '%s' a share? then say %g%%; a whole number counts baskets", text,
                  share * 100);
    else
        cli_usage("--support: expected a number of baskets from 1 (88) or a share up to 100%% "
                  "(0.1%%), got '%s'",
                  text);
    return false;
}

static bool parse_target(const char *text, struct mining_request *q)
{
    static const char *const names[] = {
        [TARGET_ALL] = "all", [TARGET_CLOSED] = "closed", [TARGET_MAXIMAL] = "maximal"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            q->target = (enum itemset_target)i;
            return true;
        }
    }
    cli_usage("--target: expected all, closed or maximal, got '%s'", text);
    return false;
}

static bool parse_formats(const struct flags *f, struct mining_request *q)
{
    if (f->format && !reader_format_parse(str_of(f->format), &q->format)) {
        cli_usage("--format: expected fimi, csv, ndjson or json, got '%s'", f->format);
        return false;
    }
    if (f->output_format && !text_format_parse(str_of(f->output_format), &q->output_format)) {
        cli_usage("--output-format: expected fimi, tsv or ndjson, got '%s'", f->output_format);
        return false;
    }
    return true;
}

static bool parse_numbers(const struct flags *f, struct mining_request *q)
{
    uint64_t min_length = 0, max_length = 0, threads = 0;
    if (!cli_number("min-length", f->min_length, 1, UINT32_MAX - 1, &min_length) ||
        !cli_number("max-length", f->max_length, 1, UINT32_MAX - 1, &max_length) ||
        !cli_number("threads", f->threads, 0, 1024, &threads) ||
        !cli_number("max-itemsets", f->max_itemsets, 1, UINT32_MAX - 2, &q->max_itemsets))
        return false;
    q->min_length = (uint32_t)min_length;
    q->max_length = (uint32_t)max_length;
    q->threads = (uint32_t)threads;
    if (max_length && min_length > max_length) {
        cli_usage("--min-length %u is more than --max-length %u", q->min_length, q->max_length);
        return false;
    }
    if (f->memory_limit &&
        (!settings_parse_size(str_of(f->memory_limit), &q->memory_bytes) || !q->memory_bytes)) {
        cli_usage("--memory-limit: expected a size such as 64MiB, got '%s'", f->memory_limit);
        return false;
    }
    return true;
}

static bool make_request(const struct flags *f, struct mining_request *q)
{
    *q = (struct mining_request){.output = f->output,
                                 .stats = f->stats,
                                 .count_only = f->count,
                                 .with = f->with,
                                 .without = f->without};
    if (!parse_support(f->support ? f->support : "1%", q) ||
        !parse_target(f->target ? f->target : "all", q) || !parse_formats(f, q) ||
        !parse_numbers(f, q))
        return false;
    if (f->count && (f->max_itemsets || f->memory_limit)) {
        cli_usage("--count counts all sets; leave out --%s",
                  f->max_itemsets ? "max-itemsets" : "memory-limit");
        return false;
    }
    return true;
}

static void print_notes(const struct flags *f, const struct mining_report *r)
{
    if (!f->support)
        fprintf(stderr, "basketd: no --support given, took 1 %% = %u baskets\n", r->support);
    if (r->raised)
        fprintf(stderr, "basketd: the budget raised the support to %u baskets\n", r->support);
    if (r->input.rejected)
        fprintf(stderr, "basketd: %llu bad lines left out, the first: %s\n",
                (unsigned long long)r->input.rejected, r->input.first_problem);
}

static void print_stats(const struct mining_report *r)
{
    fprintf(stderr,
            "baskets %u\nitems %u\nentries %llu\nrepeats %llu\nformat %s\nbytes %llu\nsupport %u\n"
            "raised %s\nresults %llu\nwritten_bytes %llu\nread_s %.6f\nmine_write_s %.6f\n"
            "cpu_s %.6f\npeak_bytes %llu\n",
            r->baskets, r->items, (unsigned long long)r->entries, (unsigned long long)r->repeats,
            reader_format_name(r->input.format), (unsigned long long)r->input.bytes, r->support,
            r->raised ? "yes" : "no", (unsigned long long)r->results,
            (unsigned long long)r->bytes_written, r->read_s, r->mine_s, clock_cpu_s(),
            (unsigned long long)clock_peak_rss());
}

static int run(struct flags *f, struct mining_request *q)
{
    struct error err = ERROR_INIT;
    struct mining_report report = {0};
    struct progress progress;
    progress_init(&progress);
    q->progress = &progress;
    struct watch *watch = watch_start(&progress, NULL, &err);
    int rc = watch ? mining_run(q, &report, &err) : (int)err.code;
    watch_stop(watch);
    if (rc == 0)
        print_notes(f, &report);
    if (f->stats)
        print_stats(&report);
    if (rc == 0)
        return 0;
    cli_fail(&err);
    return report.usage ? EXIT_USAGE : EXIT_FAILED;
}

int cmd_mine(struct settings *settings, int argc, char **argv)
{
    struct flags f = {0};
    struct mining_request request;
    const struct cli_option options[] = {
        {.name = "support", .text = &f.support},
        {.name = "target", .text = &f.target},
        {.name = "min-length", .text = &f.min_length},
        {.name = "max-length", .text = &f.max_length},
        {.name = "with", .list = f.with, .list_max = ITEMS_MAX},
        {.name = "without", .list = f.without, .list_max = ITEMS_MAX},
        {.name = "count", .given = &f.count},
        {.name = "max-itemsets", .text = &f.max_itemsets},
        {.name = "memory-limit", .text = &f.memory_limit},
        {.name = "output", .text = &f.output},
        {.name = "output-format", .text = &f.output_format},
        {.name = "format", .text = &f.format},
        {.name = "threads", .text = &f.threads},
        {.name = "stats", .given = &f.stats},
    };
    (void)settings;
    if (!cli_options(options, sizeof options / sizeof options[0], &argc, argv) ||
        !make_request(&f, &request))
        return EXIT_USAGE;
    if (argc != 2)
        return cli_usage("mine: name one file of baskets, or - for standard input");
    request.path = argv[1];
    return run(&f, &request);
}
