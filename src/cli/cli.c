/* Option parsing and the ends of a command. */
#include "cli.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_fail(const struct error *err)
{
    fprintf(stderr, "basketd: %s\n", err->code ? err->text : "failed");
    return EXIT_FAILED;
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("basketd: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

int cli_print(struct buf *out)
{
    bool ok = !out->failed && fwrite(out->ptr ? out->ptr : "", 1, out->len, stdout) == out->len &&
              fflush(stdout) == 0;
    buf_deinit(out);
    if (!ok)
        fputs("basketd: cannot write to standard output\n", stderr);
    return ok ? 0 : EXIT_FAILED;
}

bool cli_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value;
    if (!text)
        return true;
    if (!str_to_u64(str_of(text), &value) || value < min || value > max) {
        cli_usage("--%s: expected a whole number between %llu and %llu, got '%s'", option,
                  (unsigned long long)min, (unsigned long long)max, text);
        return false;
    }
    *out = value;
    return true;
}

bool cli_share(const char *option, const char *text, bool whole, double *out)
{
    double value;
    if (!text)
        return true;
    if ((str_to_percent(str_of(text), &value) || str_to_f64(str_of(text), &value)) && value > 0 &&
        (value < 1 || (whole && value == 1))) {
        *out = value;
        return true;
    }
    cli_usage("--%s: expected a share such as 20%% or .2, above 0 and %s 100%%, got '%s'", option,
              whole ? "at most" : "below", text);
    return false;
}

bool cli_support(const char *text, double *share, uint32_t *baskets)
{
    struct str s = str_of(text);
    uint64_t count;
    double number;
    *share = 0;
    *baskets = 0;
    if (str_to_percent(s, &number) && number > 0 && number <= 1) {
        *share = number;
        return true;
    }
    if (str_to_u64(s, &count) && count >= 1 && count <= UINT32_MAX) {
        *baskets = (uint32_t)count;
        return true;
    }
    if (str_to_f64(s, &number) && number > 0 && number < 1)
        cli_usage("--support: is '%s' a share? then say %g%%; a whole number counts baskets", text,
                  number * 100);
    else
        cli_usage("--support: expected a number of baskets from 1 (88) or a share up to 100%% "
                  "(0.1%%), got '%s'",
                  text);
    return false;
}

static const struct cli_option *find_option(const struct cli_option *options, size_t count,
                                            struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(str_of(options[i].name), name))
            return &options[i];
    return NULL;
}

static bool store_value(const struct cli_option *o, const char *value)
{
    if (o->text) {
        *o->text = value;
        return true;
    }
    for (size_t i = 0; i < o->list_max; i++) {
        if (!o->list[i]) {
            o->list[i] = value;
            return true;
        }
    }
    cli_usage("--%s: given more than %zu times", o->name, o->list_max);
    return false;
}

/* One option at argv[at]; how many words it took, 0 on error. */
static int take_option(const struct cli_option *options, size_t count, int argc, char **argv,
                       int at)
{
    struct str rest = str_of(argv[at] + 2);
    struct str name = str_cut(&rest, '=');
    const struct cli_option *o = find_option(options, count, name);
    if (!o) {
        cli_usage("no option --%.*s; --help lists them", STR_ARG(name));
        return 0;
    }
    if (o->given) {
        if (rest.ptr)
            cli_usage("--%s takes no value", o->name);
        else
            *o->given = true;
        return !rest.ptr;
    }
    if (rest.ptr)
        return store_value(o, rest.ptr);
    if (at + 1 >= argc) {
        cli_usage("--%s: a value is missing", o->name);
        return 0;
    }
    return store_value(o, argv[at + 1]) ? 2 : 0;
}

bool cli_options(const struct cli_option *options, size_t count, int *argc, char **argv)
{
    int kept = 1, i = 1;
    while (i < *argc && strcmp(argv[i], "--") != 0) {
        if (strncmp(argv[i], "--", 2) != 0) {
            argv[kept++] = argv[i++];
            continue;
        }
        int words = take_option(options, count, *argc, argv, i);
        if (words == 0)
            return false;
        i += words;
    }
    for (i += i < *argc; i < *argc; i++)
        argv[kept++] = argv[i];
    argv[kept] = NULL;
    *argc = kept;
    return true;
}
