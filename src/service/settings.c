/* The readers of the option table (settings_table.c): flags, environment, file, defaults.
 *
 * Every value passes through set_value() as text, whatever its origin, so that a bound or a unit is
 * checked in one place and an error can say where the text came from. */
#include "service/settings.h"

#include "base/log.h"
#include "base/str.h"
#include "settings_internal.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

bool settings_parse_duration(struct str text, int64_t *ms)
{
    double seconds;
    if (!parse_with_unit(text, time_units, &seconds) || !(seconds >= 0) || seconds >= 1e12)
        return false;
    *ms = (int64_t)(seconds * 1000);
    return true;
}

bool settings_parse_tune(struct str text, enum tune_when *when, int64_t *every_ms)
{
    *when = str_eq(text, STR("off")) ? TUNE_OFF : TUNE_NIGHTLY;
    *every_ms = 0;
    if (*when == TUNE_OFF || str_eq(text, STR("nightly")))
        return true;
    *when = TUNE_EVERY;
    return settings_parse_duration(text, every_ms) && *every_ms >= 1000;
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
    case TYPE_WEIGHT:
        return "a weight and perhaps a half-life such as 0.5 30d";
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
    return str_to_percent(text, &share) && share > 0 && share <= 1;
}

static int set_text(struct settings *s, const struct option *o, struct str text, const char *place,
                    struct error *err)
{
    enum log_level level;
    enum tune_when when;
    int64_t every_ms;
    if (text.len >= o->room)
        return refuse(o, place, text, "too long", err);
    if (o->min > 0 && text.len == 0)
        return refuse(o, place, text, "expected a text", err);
    if (o->offset == offsetof(struct settings, min_support) && !support_ok(text))
        return refuse(o, place, text, "expected a share such as 0.1% or a count such as 25", err);
    if (o->offset == offsetof(struct settings, log_level) && !log_level_parse(text, &level))
        return refuse(o, place, text, "expected error, warn, info or debug", err);
    if (o->offset == offsetof(struct settings, tune) &&
        !settings_parse_tune(text, &when, &every_ms))
        return refuse(o, place, text, "expected off, nightly or a time of at least 1s such as 24h",
                      err);
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

/* "0.5 30d", "1 0" or "1". */
static int set_weight(const struct option *o, struct event_weight *field, struct str text,
                      const char *place, struct error *err)
{
    struct str rest = text, weight = str_cut(&rest, ' ');
    double value, seconds = 0;
    char why[128];
    rest = str_trim(rest);
    if (!str_to_f64(weight, &value) || value < o->min || value > o->max ||
        (rest.len && !parse_with_unit(rest, time_units, &seconds))) {
        snprintf(why, sizeof why, "expected %s, the weight between %.15g and %.15g",
                 expectation(o->type), o->min, o->max);
        return refuse(o, place, text, why, err);
    }
    *field = (struct event_weight){value, seconds / 86400};
    return 0;
}

static int set_value(struct settings *s, size_t row, struct str text, const char *place,
                     enum setting_origin origin, struct error *err)
{
    const struct option *o = &settings_options[row];
    void *field = (char *)s + o->offset;
    int rc = 0;
    text = str_trim(text);
    if (o->type == TYPE_TEXT)
        rc = set_text(s, o, text, place, err);
    else if (o->type == TYPE_WEIGHT)
        rc = set_weight(o, field, text, place, err);
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
    for (size_t i = 0; i < settings_option_count; i++) {
        int rc =
            set_value(s, i, str_of(settings_options[i].preset), "default", ORIGIN_DEFAULT, NULL);
        assert(rc == 0);
        (void)rc;
    }
}

/* ---- flags ---- */

static size_t find_flag(struct str name)
{
    size_t i = 0;
    while (i < settings_option_count && !str_eq(name, str_of(settings_options[i].flag)))
        i++;
    return i;
}

/* The flag at argv[at]: how many words it takes, 0 when it is not ours, or a negative error. A
 * `row` of settings_option_count stands for --config. */
static int read_flag(int argc, char **argv, int at, size_t *row, struct str *value,
                     struct error *err)
{
    if (strncmp(argv[at], "--", 2) != 0 || argv[at][2] == '\0')
        return 0;
    struct str rest = str_of(argv[at] + 2);
    struct str name = str_cut(&rest, '=');
    *row = find_flag(name);
    if (*row == settings_option_count && !str_eq(name, STR("config")))
        return 0;
    if (rest.ptr) {
        *value = rest;
        return 1;
    }
    if (*row < settings_option_count && settings_options[*row].type == TYPE_SWITCH) {
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
        if (row < settings_option_count) {
            char place[64];
            snprintf(place, sizeof place, "--%s", settings_options[row].flag);
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
        for (; row < settings_option_count; row++) {
            environment_name(settings_options[row].flag, name);
            if (str_eq(key, str_of(name)))
                break;
        }
        if (row == settings_option_count)
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
    for (size_t i = 0; i < settings_option_count; i++) {
        if (strcmp(settings_options[i].section, section) == 0 &&
            strcmp(settings_options[i].key, key) == 0) {
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
    int rc = peek_flag(*argc, argv, settings_option_count, getenv("BASKETD_CONFIG"), &config, err);
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
