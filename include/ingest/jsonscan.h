/* Strict JSON tokens (RFC 8259) from one text in memory. The caller walks the structure it expects;
 * nothing recurses, so the depth of the input costs nothing. The text must be valid UTF-8 (checked
 * once, by the caller). Strings without escapes are slices of the text, others are decoded into the
 * arena. \u0000 and lone surrogates are refused: no id or title holds them. */
#ifndef INGEST_JSONSCAN_H
#define INGEST_JSONSCAN_H

#include "base/arena.h"
#include "base/buf.h"

enum jscan_type {
    JSCAN_BAD, /* no value begins here */
    JSCAN_OBJECT,
    JSCAN_ARRAY,
    JSCAN_STRING,
    JSCAN_NUMBER,
    JSCAN_BOOL,
    JSCAN_NULL
};

struct jscan {
    const char *start, *at, *end;
    struct arena *arena;
    bool no_memory;
    char reason[128]; /* why a call returned false */
};

void jscan_init(struct jscan *s, struct str text, struct arena *arena);

/* The type of the value that begins here (blanks skipped); nothing is taken. */
enum jscan_type jscan_peek(struct jscan *s);
/* "a string" … for messages. */
const char *jscan_type_name(enum jscan_type type);

/* Sets `reason` unless it is set already (first wins); returns false. */
bool jscan_fail(struct jscan *s, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Take one token. False: not there or malformed; `reason` is set (or no_memory). */
bool jscan_string(struct jscan *s, struct str *out);
bool jscan_number(struct jscan *s, struct str *out); /* its text */
bool jscan_bool(struct jscan *s, bool *out);
bool jscan_null(struct jscan *s);

/* Containers:
 *     if (!jscan_open(&s, '{')) fail;
 *     for (bool more = jscan_more(&s, '}', true); more; more = jscan_more(&s, '}', false))
 *         … take a key with jscan_key and a value …
 *     if (*s.reason) fail;
 * jscan_more: true: a member comes; false: the container is closed, or malformed (reason set). */
bool jscan_open(struct jscan *s, char bracket);
bool jscan_more(struct jscan *s, char close, bool first);
bool jscan_key(struct jscan *s, struct str *out); /* the key and its ':' */
bool jscan_end(struct jscan *s);                  /* nothing but blanks is left */

#endif
