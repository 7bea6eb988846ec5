/* The option table, shared by its readers (settings.c) and printers (settings_print.c). */
#ifndef SERVICE_SETTINGS_INTERNAL_H
#define SERVICE_SETTINGS_INTERNAL_H

#include "service/settings.h"

#include <stddef.h>

enum option_type {
    TYPE_TEXT,
    TYPE_SWITCH,
    TYPE_U32,
    TYPE_U64,
    TYPE_REAL,
    TYPE_SIZE,
    TYPE_DURATION,
    TYPE_WEIGHT /* "0.5 30d": struct event_weight */
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

extern const struct option settings_options[];
extern const size_t settings_option_count;

#endif
