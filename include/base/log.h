/* One logfmt line per event to stderr: ts=2026-… level=info event=train.done job=17 rules=1203
 *
 * error: someone must act; warn: something went wrong and we went on; info: a state changed; debug:
 * off unless asked for. Only service, http and cli log, once, where an error stops. Never keys,
 * bodies or user ids. Whole lines: threads do not mix. Any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
bool log_level_parse(struct str name, enum log_level *out); /* "error" … "debug" */

/* `format` gives the fields: "job=%lld rules=%u". Text that may hold blanks goes through log_text.
 */
void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* A quoted, escaped copy, cut after some 300 bytes, in a buffer of the calling thread's stack:
 * log_info("x", "error=%s", log_text(err.text, (struct log_quoted[1]){0})). */
struct log_quoted {
    char text[320];
};
const char *log_text(const char *text, struct log_quoted *room);

#endif
