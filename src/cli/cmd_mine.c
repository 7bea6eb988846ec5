/* basketd mine: options into a request, what came of it onto standard error. */
#include "base/clock.h"
#include "cli.h"
#include "service/mining.h"

#include <stdio.h>
#include <string.h>

#define ITEMS_MAX          64
#define DEFAULT_SUPPORT    "1%"
#define DEFAULT_CONFIDENCE 0.1
#define DEFAULT_MEASURES   "support,confidence,lift,leverage,conviction,fisher_p"

struct flags {
    const char *support, *target, *min_length, *max_length, *threads, *top, *by;
    const char *max_itemsets, *memory_limit, *output, *output_format, *format;
    const char *confidence, *lift, *max_p, *max_q, *antecedents, *consequents, *measures;
    const char *groups, *group, *flist, *item_groups, *adjust;
    const char *with[ITEMS_MAX + 1], *without[ITEMS_MAX + 1];
    const char *antecedent_only[ITEMS_MAX + 1], *consequent_only[ITEMS_MAX + 1];
    bool count, stats, productive, sorted;
};

static bool parse_target(const char *text, struct mining_request *q)
{
    static const char *const names[] = {
        [TARGET_ALL] = "all", [TARGET_CLOSED] = "closed", [TARGET_MAXIMAL] = "maximal"};
    q->rules = strcmp(text, "rules") == 0;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            q->target = (enum itemset_target)i;
            return true;
        }
    }
    if (!q->rules)
        cli_usage("--target: expected all, closed, maximal or rules, got '%s'", text);
    return q->rules;
}

static bool parse_columns(const char *text, struct mining_request *q)
{
    struct str unknown;
    struct buf names;
    if (rule_columns_parse(str_of(text), &q->columns, &unknown))
        return true;
    buf_init(&names, 0);
    rule_columns_names(&names);
    cli_usage("--measures: no measure '%.*s'; all, or a list of:%.*s", STR_ARG(unknown),
              (int)names.len, names.ptr ? names.ptr : "");
    buf_deinit(&names);
    return false;
}

static bool parse_by(const struct flags *f, struct mining_request *q)
{
    int of_rules = measure_parse(str_of(f->by && q->rules ? f->by : "lift"));
    int of_sets = set_measure_parse(str_of(f->by && !q->rules ? f->by : "support"));
    if (f->by && !f->top) {
        cli_usage("--by ranks the --top K; say how many");
        return false;
    }
    if (of_rules < 0) {
        cli_usage("--by: no measure '%s'; `basketd help mine` lists them", f->by);
        return false;
    }
    if (of_sets < 0) {
        cli_usage("--by: sets are ranked by support, leverage, lift or all_confidence, rules "
                  "(--target rules) by more");
        return false;
    }
    q->by = (enum measure)of_rules;
    q->by_set = (enum set_measure)of_sets;
    return true;
}

/* An option of rules where sets are asked for, or the other way round. */
static bool fitting_options(const struct flags *f, const struct mining_request *q)
{
    const struct {
        const char *name;
        bool given, of_rules;
    } options[] = {
        {"confidence", f->confidence, true},
        {"lift", f->lift, true},
        {"max-p", f->max_p, true},
        {"max-q", f->max_q, true},
        {"productive", f->productive, true},
        {"antecedents", f->antecedents, true},
        {"consequents", f->consequents, true},
        {"measures", f->measures, true},
        {"adjust", f->adjust, true},
        {"antecedent-only", f->antecedent_only[0], true},
        {"consequent-only", f->consequent_only[0], true},
        {"min-length", f->min_length, false},
        {"sorted", f->sorted, false},
    };
    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (options[i].given && options[i].of_rules != q->rules) {
            cli_usage("--%s is for %s", options[i].name,
                      options[i].of_rules ? "rules: add --target rules"
                                          : "itemsets, not for rules");
            return false;
        }
    }
    if (f->count && (f->top || (!q->rules && (f->max_itemsets || f->memory_limit)))) {
        cli_usage("--count counts all; leave out --%s", f->top            ? "top"
                                                        : f->max_itemsets ? "max-itemsets"
                                                                          : "memory-limit");
        return false;
    }
    if (f->top && !q->rules && (f->max_itemsets || f->memory_limit)) {
        cli_usage("--top K keeps K sets; leave out the budget");
        return false;
    }
    if (f->top && q->rules && f->with[0]) {
        cli_usage("--top with --with would rank before it chooses; leave one out");
        return false;
    }
    return true;
}

static bool parse_rules(const struct flags *f, struct mining_request *q)
{
    uint64_t antecedents = 0, consequents = 1;
    q->min_confidence = DEFAULT_CONFIDENCE;
    if (!cli_share("confidence", f->confidence, true, &q->min_confidence) ||
        !cli_share("max-p", f->max_p, true, &q->max_p) ||
        !cli_share("max-q", f->max_q, true, &q->max_q) ||
        !cli_number("antecedents", f->antecedents, 1, RULE_ITEMS_MAX, &antecedents) ||
        !cli_number("consequents", f->consequents, 1, RULE_ITEMS_MAX, &consequents) ||
        !parse_columns(f->measures ? f->measures : DEFAULT_MEASURES, q))
        return false;
    q->adjust_size = f->adjust;
    if (f->adjust && (strcmp(f->adjust, "size") != 0 || q->output_format <= TEXT_FIMI)) {
        cli_usage("--adjust: 'size' is what there is, with --output-format tsv or ndjson");
        return false;
    }
    q->antecedents = (uint32_t)antecedents;
    q->consequents = (uint32_t)consequents;
    q->productive = f->productive;
    q->antecedent_only = f->antecedent_only;
    q->consequent_only = f->consequent_only;
    if (f->lift && !(str_to_f64(str_of(f->lift), &q->min_lift) && q->min_lift > 0)) {
        cli_usage("--lift: expected a number above 0, got '%s'", f->lift);
        return false;
    }
    return true;
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
        !cli_number("top", f->top, 1, UINT32_MAX - 2, &q->top) ||
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

static bool parse_groups(const struct flags *f, struct mining_request *q)
{
    uint64_t groups = 0, group = 0;
    bool parts = f->groups || f->group || f->flist;
    if (!cli_number("groups", f->groups, 1, LIMIT_SHARDS, &groups) ||
        !cli_number("group", f->group, 0, LIMIT_SHARDS - 1, &group))
        return false;
    q->groups = (uint32_t)groups;
    q->group = (uint32_t)group;
    q->one_group = f->group;
    q->flist = f->flist;
    if (!parts)
        return true;
    if (q->rules)
        cli_usage("rules need the sets of all groups; mine the sets in parts and join them");
    else if (f->flist && (f->groups || f->support))
        cli_usage("--flist has the %s already; leave out --%s", f->groups ? "groups" : "support",
                  f->groups ? "groups" : "support");
    else if (f->flist && f->item_groups)
        cli_usage("shards are cut without item groups; use --groups on the file");
    else if (!f->flist && !(f->groups && f->group))
        cli_usage("one part of a whole file takes both --groups Q and --group g");
    else if (f->flist && q->target != TARGET_ALL)
        cli_usage("shards do not hold what closed and maximal sets need; use --groups on the file");
    else if (f->flist && (f->max_itemsets || f->memory_limit || f->top))
        cli_usage("a budget is for the whole result, not for its shards");
    else
        return true;
    return false;
}

static bool make_request(const struct flags *f, struct mining_request *q)
{
    *q = (struct mining_request){.output = f->output,
                                 .stats = f->stats,
                                 .count_only = f->count,
                                 .item_groups = f->item_groups,
                                 .sorted = f->sorted,
                                 .with = f->with,
                                 .without = f->without};
    const char *support = f->support ? f->support : f->top || f->flist ? NULL : DEFAULT_SUPPORT;
    return (!support || cli_support(support, &q->support_share, &q->support)) &&
           parse_target(f->target ? f->target : "all", q) && parse_formats(f, q) &&
           parse_numbers(f, q) && parse_rules(f, q) && parse_by(f, q) && fitting_options(f, q) &&
           parse_groups(f, q);
}

static void print_notes(const struct flags *f, const struct mining_report *r)
{
    if (!f->support && !f->top && !f->flist)
        fprintf(stderr, "basketd: no --support given, took 1 %% = %u baskets\n", r->support);
    if (r->raised && !f->top)
        fprintf(stderr, "basketd: the budget raised the support to %u baskets\n", r->support);
    if (r->unproved)
        fprintf(stderr,
                "basketd: the budget ended the search at %u baskets; rarer rules may be better\n",
                r->support);
    if (r->input.rejected)
        fprintf(stderr, "basketd: %llu bad lines left out, the first: %s\n",
                (unsigned long long)r->input.rejected, r->input.first_problem);
}

static void print_stats(const struct mining_report *r)
{
    fprintf(stderr,
            "baskets %u\nitems %u\nentries %llu\nrepeats %llu\nformat %s\nbytes %llu\nsupport %u\n"
            "raised %s\nitemsets %llu\ncandidates %llu\nresults %llu\nwritten_bytes %llu\nread_s "
            "%.6f\nmine_write_s %.6f\n"
            "cpu_s %.6f\npeak_bytes %llu\n",
            r->baskets, r->items, (unsigned long long)r->entries, (unsigned long long)r->repeats,
            reader_format_name(r->input.format), (unsigned long long)r->input.bytes, r->support,
            r->raised ? "yes" : "no", (unsigned long long)r->itemsets,
            (unsigned long long)r->candidates, (unsigned long long)r->results,
            (unsigned long long)r->bytes_written, r->read_s, r->mine_s, clock_cpu_s(),
            (unsigned long long)clock_peak_rss());
}

static int run(const struct flags *f, const struct mining_request *q)
{
    struct mining_request request = *q;
    struct error err = ERROR_INIT;
    struct mining_report report = {0};
    struct progress progress;
    progress_init(&progress);
    request.progress = &progress;
    struct watch *watch = watch_start(&progress, NULL, &err);
    int rc = watch ? mining_run(&request, &report, &err) : (int)err.code;
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
        {.name = "groups", .text = &f.groups},
        {.name = "group", .text = &f.group},
        {.name = "flist", .text = &f.flist},
        {.name = "adjust", .text = &f.adjust},
        {.name = "item-groups", .text = &f.item_groups},
        {.name = "top", .text = &f.top},
        {.name = "by", .text = &f.by},
        {.name = "confidence", .text = &f.confidence},
        {.name = "lift", .text = &f.lift},
        {.name = "max-p", .text = &f.max_p},
        {.name = "max-q", .text = &f.max_q},
        {.name = "productive", .given = &f.productive},
        {.name = "antecedents", .text = &f.antecedents},
        {.name = "consequents", .text = &f.consequents},
        {.name = "antecedent-only", .list = f.antecedent_only, .list_max = ITEMS_MAX},
        {.name = "consequent-only", .list = f.consequent_only, .list_max = ITEMS_MAX},
        {.name = "measures", .text = &f.measures},
        {.name = "sorted", .given = &f.sorted},
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
