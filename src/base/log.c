/* One write(2) per line, so that lines of several threads never mix. The level is the only state.
 */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int log_limit = LOG_LEVEL_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_limit, (int)level, memory_order_relaxed);
}

bool log_level_parse(struct str name, enum log_level *out)
{
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        if (str_eq(name, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&log_limit, memory_order_relaxed))
        return;
    char line[2048], when[25];
    time_ms_format(clock_wall_ms(), when);
    int head =
        snprintf(line, sizeof line, "ts=%s level=%s event=%s ", when, level_names[level], event);
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    va_end(args);
    size_t length = strlen(line);
    if (body <= 0 && length > 0 && line[length - 1] == ' ')
        length--;
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

const char *log_text(const char *text, struct log_quoted *room)
{
    char *out = room->text;
    char *end = room->text + sizeof room->text - 4;
    *out++ = '"';
    for (const char *c = text ? text : ""; *c && out < end; c++) {
        if (*c == '"' || *c == '\\')
            *out++ = '\\';
        *out++ = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    }
    *out++ = '"';
    *out = '\0';
    return room->text;
}
