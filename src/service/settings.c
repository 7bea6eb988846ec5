/* One table, four readers (flags, environment, file, defaults) and three printers.
 *
 * Every value passes through set_value() as text, whatever its origin, so that a bound or a unit is
 * checked in one place and an error can say where the text came from. */
#include "service/settings.h"

#include "base/log.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum option_type {
    TYPE_TEXT,
    TYPE_SWITCH,
    TYPE_U32,
    TYPE_U64,
    TYPE_REAL,
    TYPE_SIZE,
    TYPE_DURATION
};

struct option {
    const char *section, *key, *flag; /* [train] interval, --train-interval */
    enum option_type type;
    size_t offset, room; /* room: of a text */
    double min,
        max; /* seconds for durations, bytes for sizes; a text with min 1 may not be empty */
    const char *preset; /* the default, as text */
    const char *help;
};

#define AT(field) offsetof(struct settings, field), sizeof(((struct settings *)0)->field)

/* clang-format off: a table reads best as one */
static const struct option options[] = {
    {"server", "data", "data", TYPE_TEXT, AT(data), 1, 0, "data", "data directory"},
    {"server", "listen", "listen", TYPE_TEXT, AT(listen), 1, 0, "127.0.0.1:8080",
     "address and port to serve on; port 0 takes a free one"},
    {"server", "loops", "loops", TYPE_U32, AT(loops), 1, 64, "1", "event loops, one core each"},
    {"server", "insecure", "insecure", TYPE_SWITCH, AT(insecure), 0, 0, "false",
     "serve other addresses than loopback although no key is configured"},
    {"server", "cors_origins", "cors-origins", TYPE_TEXT, AT(cors_origins), 0, 0, "",
     "origins whose browsers may ask with a read key, comma-separated"},
    {"server", "log_level", "log-level", TYPE_TEXT, AT(log_level), 1, 0, "info",
     "error, warn, info or debug"},
    {"server", "connections", "connections", TYPE_U32, AT(connections), 8, 100000, "4000",
     "open connections per loop"},
    {"server", "header_timeout", "header-timeout", TYPE_DURATION, AT(header_timeout_ms), 1, 300,
     "5s", "time a client has for the head of a request"},
    {"server", "body_timeout", "body-timeout", TYPE_DURATION, AT(body_timeout_ms), 1, 3600, "30s",
     "time for a body of up to 1 MiB, and for each further MiB"},
    {"server", "idle_timeout", "idle-timeout", TYPE_DURATION, AT(idle_timeout_ms), 1, 3600, "60s",
     "time a connection may stay without a request"},
    {"server", "drain_timeout", "drain-timeout", TYPE_DURATION, AT(drain_timeout_ms), 0, 300, "10s",
     "time requests in flight have after SIGTERM"},
    {"ingest", "inline_body", "ingest-inline-body", TYPE_SIZE, AT(inline_body_bytes), 1024,
     16 << 20, "1MiB", "larger bodies are spooled to disk and become a job"},
    {"ingest", "upload", "ingest-upload", TYPE_SIZE, AT(upload_bytes), 1024, 1e15, "16GiB",
     "largest spooled upload"},
    {"ingest", "queue", "ingest-queue", TYPE_U32, AT(ingest_queue), 1, 100000, "1024",
     "waiting requests before 503"},
    {"ingest", "decompressed", "ingest-decompressed", TYPE_SIZE, AT(max_decompressed_bytes), 1024,
     1e15, "64GiB", "largest input after decompression"},
    {"ingest", "sort_memory", "ingest-sort-memory", TYPE_SIZE, AT(sort_memory_bytes), 1 << 20, 1e12,
     "64MiB", "memory for grouping the rows of a CSV; beyond it they are staged on disk"},
    {"train", "min_new_orders", "train-min-new-orders", TYPE_U64, AT(min_new_orders), 0, 1e15,
     "1000", "train when this many orders changed; 0: never"},
    {"train", "interval", "train-interval", TYPE_DURATION, AT(interval_ms), 0, 31536000, "24h",
     "train at least this often when there is anything new; 0: never"},
    {"train", "memory_limit", "memory-limit", TYPE_SIZE, AT(memory_limit_bytes), 0, 1e15, "0",
     "refuse a training that would need more; 0: no limit"},
    {"train", "threads", "threads", TYPE_U32, AT(threads), 0, 64, "0",
     "compute threads; 0: one per core"},
    {"train", "min_support", "min-support", TYPE_TEXT, AT(min_support), 0, 0, "",
     "support an itemset needs, a share \"0.1%\" or a count \"25\"; empty: 0.01 %, at least 5"},
    {"train", "min_confidence", "min-confidence", TYPE_REAL, AT(min_confidence), 0.0001, 1, "0.1",
     "confidence a rule needs"},
    {"train", "min_lift", "min-lift", TYPE_REAL, AT(min_lift), 0, 1e9, "1", "lift a rule needs"},
    {"train", "productive", "productive", TYPE_SWITCH, AT(productive), 0, 0, "true",
     "keep only rules whose every item improves on the rule without it"},
    {"train", "max_q", "max-q", TYPE_REAL, AT(max_q), 1e-9, 1, "0.05",
     "share of the rules that may be chance; 1: not looked at"},
    {"train", "max_length", "max-length", TYPE_U32, AT(max_length), 2, 8, "4",
     "items in an itemset"},
    {"train", "max_itemsets", "max-itemsets", TYPE_U64, AT(max_itemsets), 1000, 1e9, "4000000",
     "budget; beyond it the support threshold is raised, and said so"},
    {"train", "max_rules", "max-rules", TYPE_U64, AT(max_rules), 100, 1e8, "1000000",
     "budget; the strongest are kept"},
    {"train", "neighbours", "neighbours", TYPE_U32, AT(neighbours), 5, 1000, "100",
     "best items kept per item and learner"},
    {"train", "embeddings", "embeddings", TYPE_SWITCH, AT(embeddings), 0, 0, "true",
     "train item embeddings"},
    {"train", "max_order_items", "max-order-items", TYPE_U32, AT(max_order_items), 2, 100000,
     "2000", "orders with more distinct items are kept but not learnt from"},
    {"orders", "keep_days", "orders-keep-days", TYPE_U32, AT(keep_days), 0, 36500, "0",
     "delete orders and events older than this; 0: keep"},
    {"models", "keep", "models-keep", TYPE_U32, AT(keep_models), 1, 100, "5",
     "trained models kept"},
    {"users", "erase_orders", "users-erase-orders", TYPE_SWITCH, AT(erase_orders), 0, 0, "false",
     "erasing a user deletes the orders instead of unlinking them"},
};
/* clang-format on */

#define OPTION_COUNT (sizeof options / sizeof options[0])
_Static_assert(OPTION_COUNT <= SETTINGS_MAX, "raise SETTINGS_MAX");

static const char *const origins[] = {"default", "file", "environment", "flag"};

struct unit {
    const char *name;
    double factor;
};
static const struct unit size_units[] = {
    {"", 1},        {"B", 1},         {"KB", 1e3},      {"MB", 1e6},
    {"GB", 1e9},    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
    {"K", 1 << 10}, {"M", 1 << 20},   {"G", 1 << 30},   {NULL, 0},
};
static const struct unit time_units[] = {
    {"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0},
};

static bool parse_with_unit(struct str text, const struct unit *units, double *out)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] && strchr("0123456789.", text.ptr[digits]))
        digits++;
    double number;
    if (digits == 0 || !str_to_f64((struct str){text.ptr, digits}, &number))
        return false;
    struct str rest = str_trim((struct str){text.ptr + digits, text.len - digits});
    for (const struct unit *u = units; u->name; u++) {
        if (str_eq_nocase(rest, str_of(u->name))) {
            *out = number * u->factor;
            return true;
        }
    }
    return false;
}

bool settings_parse_size(struct str text, uint64_t *bytes)
{
    double number;
    if (!parse_with_unit(text, size_units, &number) || number >= 1e18)
        return false;
    *bytes = (uint64_t)number;
    return true;
}

static const char *expectation(enum option_type type)
{
    switch (type) {
    case TYPE_TEXT:
        return "a text";
    case TYPE_SWITCH:
        return "true or false";
    case TYPE_U32:
    case TYPE_U64:
        return "a whole number";
    case TYPE_REAL:
        return "a number";
    case TYPE_SIZE:
        return "a size such as 64MiB";
    case TYPE_DURATION:
        return "a duration such as 90s, 15m or 24h";
    }
    return "";
}

static bool parse_number(const struct option *o, struct str text, double *out)
{
    uint64_t whole;
    switch (o->type) {
    case TYPE_U32:
    case TYPE_U64:
        if (!str_to_u64(text, &whole))
            return false;
        *out = (double)whole;
        return true;
    case TYPE_REAL:
        return str_to_f64(text, out);
    case TYPE_SIZE:
        return parse_with_unit(text, size_units, out);
    case TYPE_DURATION:
        return parse_with_unit(text, time_units, out);
    default:
        return false;
    }
}

static void store_number(const struct option *o, void *field, double value)
{
    switch (o->type) {
    case TYPE_U32:
        *(uint32_t *)field = (uint32_t)value;
        break;
    case TYPE_U64:
    case TYPE_SIZE:
        *(uint64_t *)field = (uint64_t)value;
        break;
    case TYPE_DURATION:
        *(int64_t *)field = (int64_t)(value * 1000 + 0.5);
        break;
    case TYPE_REAL:
        *(double *)field = value;
        break;
    default:
        assert(!"not a number");
    }
}

static bool parse_switch(struct str text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        bool on = str_eq_nocase(text, str_of(yes[i]));
        if (on || str_eq_nocase(text, str_of(no[i]))) {
            *out = on;
            return true;
        }
    }
    return false;
}

static int refuse(const struct option *o, const char *place, struct str text, const char *why,
                  struct error *err)
{
    return error_set(err, ERR_INVALID, "%s.%s (%s): %s, got '%.*s'", o->section, o->key, place, why,
                     (int)(text.len < 60 ? text.len : 60), text.ptr ? text.ptr : "");
}

/* "", "0.1%" or a whole number. */
static bool support_ok(struct str text)
{
    uint64_t count;
    double share;
    if (text.len == 0 || (str_to_u64(text, &count) && count > 0 && count <= UINT32_MAX))
        return true;
    return text.ptr[text.len - 1] == '%' &&
           str_to_f64((struct str){text.ptr, text.len - 1}, &share) && share > 0 && share <= 100;
}

static int set_text(struct settings *s, const struct option *o, struct str text, const char *place,
                    struct error *err)
{
    enum log_level level;
    if (text.len >= o->room)
        return refuse(o, place, text, "too long", err);
    if (o->min > 0 && text.len == 0)
        return refuse(o, place, text, "expected a text", err);
    if (o->offset == offsetof(struct settings, min_support) && !support_ok(text))
        return refuse(o, place, text, "expected a share such as 0.1% or a count such as 25", err);
    if (o->offset == offsetof(struct settings, log_level) && !log_level_parse(text, &level))
        return refuse(o, place, text, "expected error, warn, info or debug", err);
    char *field = (char *)s + o->offset;
    memcpy(field, text.ptr ? text.ptr : "", text.len);
    field[text.len] = '\0';
    return 0;
}

static int set_number(const struct option *o, void *field, struct str text, const char *place,
                      struct error *err)
{
    double value;
    char why[128];
    if (!parse_number(o, text, &value)) {
        snprintf(why, sizeof why, "expected %s", expectation(o->type));
        return refuse(o, place, text, why, err);
    }
    if (value < o->min || value > o->max) {
        snprintf(why, sizeof why, "expected %s between %.15g and %.15g", expectation(o->type),
                 o->min, o->max);
        return refuse(o, place, text, why, err);
    }
    store_number(o, field, value);
    return 0;
}

static int set_value(struct settings *s, size_t row, struct str text, const char *place,
                     enum setting_origin origin, struct error *err)
{
    const struct option *o = &options[row];
    void *field = (char *)s + o->offset;
    int rc = 0;
    text = str_trim(text);
    if (o->type == TYPE_TEXT)
        rc = set_text(s, o, text, place, err);
    else if (o->type != TYPE_SWITCH)
        rc = set_number(o, field, text, place, err);
    else if (!parse_switch(text, field))
        rc = refuse(o, place, text, "expected true or false", err);
    if (rc == 0)
        s->origin[row] = (unsigned char)origin;
    return rc;
}

void settings_default(struct settings *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        int rc = set_value(s, i, str_of(options[i].preset), "default", ORIGIN_DEFAULT, NULL);
        assert(rc == 0);
        (void)rc;
    }
}

/* ---- flags ---- */

static size_t find_flag(struct str name)
{
    size_t i = 0;
    while (i < OPTION_COUNT && !str_eq(name, str_of(options[i].flag)))
        i++;
    return i;
}

/* The flag at argv[at]: how many words it takes, 0 when it is not ours, or a negative error. A
 * `row` of OPTION_COUNT stands for --config. */
static int read_flag(int argc, char **argv, int at, size_t *row, struct str *value,
                     struct error *err)
{
    if (strncmp(argv[at], "--", 2) != 0 || argv[at][2] == '\0')
        return 0;
    struct str rest = str_of(argv[at] + 2);
    struct str name = str_cut(&rest, '=');
    *row = find_flag(name);
    if (*row == OPTION_COUNT && !str_eq(name, STR("config")))
        return 0;
    if (rest.ptr) {
        *value = rest;
        return 1;
    }
    if (*row < OPTION_COUNT && options[*row].type == TYPE_SWITCH) {
        *value = STR("true");
        return 1;
    }
    if (at + 1 >= argc)
        return error_set(err, ERR_INVALID, "--%.*s: a value is missing", STR_ARG(name));
    *value = str_of(argv[at + 1]);
    return 2;
}

/* The last value given to the flag of `row`, or `otherwise`. */
static int peek_flag(int argc, char **argv, size_t row, const char *otherwise, const char **out,
                     struct error *err)
{
    *out = otherwise;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0;) {
        size_t found;
        struct str value;
        int words = read_flag(argc, argv, i, &found, &value, err);
        if (words < 0)
            return words;
        if (words > 0 && found == row)
            *out = value.ptr;
        i += words > 0 ? words : 1;
    }
    return 0;
}

static int take_flags(struct settings *s, int *argc, char **argv, struct error *err)
{
    int kept = 1, i = 1;
    while (i < *argc && strcmp(argv[i], "--") != 0) {
        size_t row;
        struct str value;
        int words = read_flag(*argc, argv, i, &row, &value, err);
        if (words < 0)
            return words;
        if (words == 0) {
            argv[kept++] = argv[i++];
            continue;
        }
        if (row < OPTION_COUNT) {
            char place[64];
            snprintf(place, sizeof place, "--%s", options[row].flag);
            int rc = set_value(s, row, value, place, ORIGIN_FLAG, err);
            if (rc)
                return rc;
        }
        i += words;
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

/* ---- environment ---- */

static void environment_name(const char *flag, char out[64])
{
    int n = snprintf(out, 64, "BASKETD_%s", flag);
    assert(n < 64);
    (void)n;
    for (char *c = out; *c; c++) {
        if (*c == '-')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 32);
    }
}

static int read_environment(struct settings *s, struct error *err)
{
    char name[64];
    for (char **entry = environ; *entry; entry++) {
        struct str rest = str_of(*entry);
        struct str key = str_cut(&rest, '=');
        if (!str_starts(key, STR("BASKETD_")) || str_eq(key, STR("BASKETD_CONFIG")))
            continue;
        size_t row = 0;
        for (; row < OPTION_COUNT; row++) {
            environment_name(options[row].flag, name);
            if (str_eq(key, str_of(name)))
                break;
        }
        if (row == OPTION_COUNT)
            return error_set(err, ERR_INVALID, "%.*s: no such setting; `basketd config` lists them",
                             STR_ARG(key));
        int rc = set_value(s, row, rest, name, ORIGIN_ENVIRONMENT, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- file ---- */

struct file_reader {
    struct settings *settings;
    const char *path;
    struct error *err;
    int result;
};

static int take_line(void *context, const char *section, const char *key, const char *value)
{
    struct file_reader *f = context;
    if (f->result)
        return 0;
    char place[128];
    snprintf(place, sizeof place, "in %.100s", f->path);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].key, key) == 0) {
            f->result = set_value(f->settings, i, str_of(value), place, ORIGIN_FILE, f->err);
            return f->result == 0;
        }
    }
    f->result = error_set(f->err, ERR_INVALID,
                          "[%.40s] %.40s (%s): no such setting; `basketd config` lists them",
                          section, key, place);
    return 0;
}

static int read_file(struct settings *s, const char *path, bool required, struct error *err)
{
    if (!required && access(path, F_OK) != 0)
        return 0;
    struct file_reader f = {.settings = s, .path = path, .err = err};
    int rc = ini_parse(path, take_line, &f);
    if (f.result)
        return f.result;
    if (rc == -1)
        return error_set_errno(err, ERR_IO, errno, "%s", path);
    if (rc != 0)
        return error_set(err, ERR_INVALID, "%s: line %d: expected [section] or key = value", path,
                         rc);
    return 0;
}

int settings_load(struct settings *s, int *argc, char **argv, struct error *err)
{
    settings_default(s);
    const char *config, *data, *environment = getenv("BASKETD_DATA");
    int rc = peek_flag(*argc, argv, OPTION_COUNT, getenv("BASKETD_CONFIG"), &config, err);
    if (rc == 0)
        rc = peek_flag(*argc, argv, find_flag(STR("data")), environment ? environment : s->data,
                       &data, err);
    if (rc)
        return rc;
    char beside[sizeof s->data + 16];
    snprintf(beside, sizeof beside, "%.4095s/basketd.conf", data);
    rc = read_file(s, config ? config : beside, config != NULL, err);
    if (rc == 0)
        rc = read_environment(s, err);
    if (rc == 0)
        rc = take_flags(s, argc, argv, err);
    return rc;
}

/* ---- printing ---- */

static void print_value(const struct settings *s, const struct option *o, struct buf *out)
{
    const void *field = (const char *)s + o->offset;
    switch (o->type) {
    case TYPE_TEXT:
        buf_text(out, field);
        break;
    case TYPE_SWITCH:
        buf_text(out, *(const bool *)field ? "true" : "false");
        break;
    case TYPE_U32:
        buf_u64(out, *(const uint32_t *)field);
        break;
    case TYPE_U64:
    case TYPE_SIZE:
        buf_u64(out, *(const uint64_t *)field);
        break;
    case TYPE_REAL:
        buf_f64(out, *(const double *)field);
        break;
    case TYPE_DURATION:
        buf_f64(out, (double)*(const int64_t *)field / 1000);
        buf_char(out, 's');
        break;
    }
}

static void print_json(const struct settings *s, struct buf *out)
{
    struct buf value;
    buf_init(&value, 0);
    buf_char(out, '{');
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        buf_clear(&value);
        print_value(s, o, &value);
        buf_printf(out, "%s\"%s.%s\":{\"value\":", i ? "," : "", o->section, o->key);
        if (o->type == TYPE_TEXT || o->type == TYPE_DURATION)
            buf_json_str(out, (struct str){value.ptr, value.len});
        else
            buf_add(out, value.ptr, value.len);
        buf_printf(out, ",\"from\":\"%s\"}", origins[s->origin[i]]);
    }
    buf_text(out, "}\n");
    out->failed = out->failed || value.failed;
    buf_deinit(&value);
}

void settings_print(const struct settings *s, struct buf *out, bool json)
{
    if (json) {
        print_json(s, out);
        return;
    }
    const char *section = "";
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        if (strcmp(section, o->section) != 0)
            buf_printf(out, "%s[%s]\n", i ? "\n" : "", o->section);
        section = o->section;
        buf_printf(out, "%s = ", o->key);
        print_value(s, o, out);
        buf_printf(out, " ; %s\n", origins[s->origin[i]]);
    }
}

void settings_markdown(struct buf *out)
{
    buf_text(out, "| setting | flag | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        buf_printf(out, "| `%s.%s` | `--%s` | %s | %s |\n", o->section, o->key, o->flag,
                   *o->preset ? o->preset : "(empty)", o->help);
    }
}

void settings_help(struct buf *out, const char *section)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        if (strcmp(o->section, section) != 0)
            continue;
        char flag[64];
        snprintf(flag, sizeof flag, "--%s%s", o->flag, o->type == TYPE_SWITCH ? "" : " VALUE");
        buf_printf(out, "  %-32s %s%s%s%s\n", flag, o->help, *o->preset ? " (default " : "",
                   o->preset, *o->preset ? ")" : "");
    }
}
