/* One write(2) per line, so that lines of several threads never mix; no longer than the PIPE_BUF
 * bytes for which a pipe promises that, too. Control characters become blanks: nothing a client
 * sent begins a line of its own. The level is the only state. */
#include "base/log.h"

#include "base/clock.h"

#include <assert.h>
#include <limits.h>
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

/* Blanks out control characters, drops blanks at the end, and returns the length. */
static size_t tidy(char *line)
{
    size_t length = 0;
    for (size_t i = 0; line[i]; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' ';
        if (line[i] != ' ')
            length = i + 1;
    }
    return length;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    assert(level <= LOG_LEVEL_DEBUG);
    if ((int)level > atomic_load_explicit(&log_limit, memory_order_relaxed))
        return;
    char line[2048], when[25];
    _Static_assert(sizeof line <= PIPE_BUF, "written whole");
    time_ms_format(clock_wall_ms(), when);
    int head =
        snprintf(line, sizeof line, "ts=%s level=%s event=%s ", when, level_names[level], event);
    assert(head > 0);
    assert((size_t)head < sizeof line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, sizeof line - (size_t)head, format, args);
    va_end(args);
    size_t length = tidy(line);
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
