/* The settings as a file that reads back, as JSON, as a Markdown table and as lines of --help. */
#include "settings_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const origins[] = {"default", "file", "environment", "flag"};

static void print_weight(const struct event_weight *w, struct buf *out)
{
    buf_f64(out, w->weight);
    if (w->half_life_days > 0) {
        buf_char(out, ' ');
        buf_f64(out, w->half_life_days);
        buf_char(out, 'd');
    }
}

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
    case TYPE_WEIGHT:
        print_weight(field, out);
        break;
    }
}

static void print_json(const struct settings *s, struct buf *out)
{
    struct buf value;
    buf_init(&value, 0);
    buf_char(out, '{');
    for (size_t i = 0; i < settings_option_count; i++) {
        const struct option *o = &settings_options[i];
        buf_clear(&value);
        print_value(s, o, &value);
        buf_printf(out, "%s\"%s.%s\":{\"value\":", i ? "," : "", o->section, o->key);
        if (o->type == TYPE_TEXT || o->type == TYPE_DURATION || o->type == TYPE_WEIGHT)
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
    for (size_t i = 0; i < settings_option_count; i++) {
        const struct option *o = &settings_options[i];
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
    for (size_t i = 0; i < settings_option_count; i++) {
        const struct option *o = &settings_options[i];
        buf_printf(out, "| `%s.%s` | `--%s` | %s | %s |\n", o->section, o->key, o->flag,
                   *o->preset ? o->preset : "(empty)", o->help);
    }
}

void settings_help(struct buf *out, const char *section)
{
    for (size_t i = 0; i < settings_option_count; i++) {
        const struct option *o = &settings_options[i];
        if (strcmp(o->section, section) != 0)
            continue;
        char flag[64];
        snprintf(flag, sizeof flag, "--%s%s", o->flag, o->type == TYPE_SWITCH ? "" : " VALUE");
        buf_printf(out, "  %-32s %s%s%s%s\n", flag, o->help, *o->preset ? " (default " : "",
                   o->preset, *o->preset ? ")" : "");
    }
}
