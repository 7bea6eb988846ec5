/* basketd import: files or standard input into the store, with a report of every line. */
#include "cli.h"
#include "service/importer.h"

#include <stdio.h>
#include <string.h>

#define MAPS_MAX 16

static bool copy_text(char *to, size_t room, const char *option, const char *text)
{
    if (!text)
        return true;
    if (strlen(text) >= room) {
        cli_usage("--%s: longer than %zu bytes", option, room - 1);
        return false;
    }
    memcpy(to, text, strlen(text) + 1);
    return true;
}

struct flags {
    const char *format, *source, *include, *exclude;
    const char *maps[MAPS_MAX + 1];
    bool strict, json;
};

static bool make_request(const struct flags *f, struct import_request *r)
{
    memset(r, 0, sizeof *r);
    r->strict = f->strict;
    if (f->format && !reader_format_parse(str_of(f->format), &r->format)) {
        cli_usage("--format: expected ndjson, json, csv or fimi, got '%s'", f->format);
        return false;
    }
    for (; f->maps[r->map_count]; r->map_count++)
        if (!copy_text(r->maps[r->map_count], sizeof r->maps[0], "map", f->maps[r->map_count]))
            return false;
    return copy_text(r->source, sizeof r->source, "source", f->source) &&
           copy_text(r->include_items, sizeof r->include_items, "include-items", f->include) &&
           copy_text(r->exclude_items, sizeof r->exclude_items, "exclude-items", f->exclude);
}

static void print_tally(const char *name, const struct tally *t)
{
    if (t->read == 0)
        return;
    printf("%-7s %llu read", name, (unsigned long long)t->read);
    const struct {
        const char *name;
        uint64_t count;
    } parts[] = {{"accepted", t->accepted},   {"replaced", t->replaced},
                 {"duplicate", t->duplicate}, {"cancelled", t->cancelled},
                 {"returned", t->returned},   {"merged", t->merged},
                 {"excluded", t->excluded},   {"rejected", t->rejected}};
    const char *between = ": ";
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].count == 0)
            continue;
        printf("%s%llu %s", between, (unsigned long long)parts[i].count, parts[i].name);
        between = ", ";
    }
    putchar('\n');
}

static int print_report(const struct ingest_report *r, const char *path, bool json)
{
    if (json) {
        struct buf out;
        buf_init(&out, 0);
        ingest_report_json(r, &out);
        buf_char(&out, '\n');
        return cli_print(&out);
    }
    printf("%s\n", path);
    print_tally("orders", &r->counts.orders);
    print_tally("lines", &r->counts.lines);
    print_tally("items", &r->counts.items);
    print_tally("events", &r->counts.events);
    print_tally("cancels", &r->counts.cancels);
    for (uint32_t i = 0; i < r->problem_count; i++)
        printf("line %llu: %.*s%s%.*s\n", (unsigned long long)r->problems[i].line,
               STR_ARG(r->problems[i].field), r->problems[i].field.len ? ": " : "",
               STR_ARG(r->problems[i].reason));
    if (r->problem_total > r->problem_count)
        printf("… and %llu more bad lines\n",
               (unsigned long long)(r->problem_total - r->problem_count));
    return 0;
}

static int import_one(struct shop *shop, const struct import_request *request, const char *path,
                      bool json)
{
    struct error err = ERROR_INIT;
    struct ingest_report report;
    struct progress progress;
    _Atomic uint64_t rows = 0;
    progress_init(&progress);
    ingest_report_init(&report);
    struct import_params params = {
        .request = request, .path = path, .progress = &progress, .rows = &rows};
    struct watch *watch = watch_start(&progress, &rows, &err);
    int rc = watch ? import_run(shop, &params, &report, &err) : err.code;
    watch_stop(watch);
    int status = print_report(&report, path, json);
    if (rc) {
        error_wrap(&err, "%s", path);
        status = cli_fail(&err);
    }
    ingest_report_deinit(&report);
    return status;
}

int cmd_import(struct settings *settings, int argc, char **argv)
{
    struct flags f = {0};
    const struct cli_option options[] = {
        {.name = "format", .text = &f.format},
        {.name = "map", .list = f.maps, .list_max = MAPS_MAX},
        {.name = "source", .text = &f.source},
        {.name = "include-items", .text = &f.include},
        {.name = "exclude-items", .text = &f.exclude},
        {.name = "strict", .given = &f.strict},
        {.name = "json", .given = &f.json},
    };
    struct import_request request;
    struct error err = ERROR_INIT;
    if (!cli_options(options, sizeof options / sizeof options[0], &argc, argv) ||
        !make_request(&f, &request))
        return EXIT_USAGE;
    if (argc < 2)
        return cli_usage("import: name a file, or - for standard input");
    struct shop *shop = shop_open(settings, SHOP_COMMAND, &err);
    if (!shop)
        return cli_fail(&err);
    int status = 0;
    for (int i = 1; i < argc && status == 0; i++)
        status = import_one(shop, &request, argv[i], f.json);
    shop_close(shop);
    return status;
}
