/* Growable bytes with a hard maximum. Appending never fails loudly: the first failure (memory or
 * maximum) sets `failed`, later appends do nothing, and the owner checks once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *ptr;
    size_t len, cap, max; /* max 0: no maximum */
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_deinit(struct buf *b); /* may run twice */
void buf_clear(struct buf *b);  /* length 0, not failed, memory kept */

void buf_add(struct buf *b, const void *bytes, size_t count);
void buf_str(struct buf *b, struct str s);
void buf_text(struct buf *b, const char *text); /* NUL-terminated */
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t value);
void buf_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON number: 9 decimals (below 1: 9 digits from the first that is not 0), at most 15 digits,
 * trailing zeros cut, so that prices and counts come back exactly. inf and nan become null.
 * Independent of the locale. */
void buf_f64(struct buf *b, double value);

/* A JSON string with quotes; escapes ", \ and < 0x20. The bytes must be UTF-8. */
void buf_json_str(struct buf *b, struct str s);

/* Room for `count` more bytes; NULL and `failed` when there is none. The caller fills and adds to
 * len. */
char *buf_reserve(struct buf *b, size_t count);

/* Adds a NUL behind the bytes (not counted in len) and hands out the pointer; NULL when failed. */
const char *buf_cstr(struct buf *b);

/* Hands out the bytes, which the caller frees, and leaves an empty buf that has not failed; NULL
 * (and len 0) when it had failed or was empty. */
char *buf_detach(struct buf *b, size_t *len);

#endif
