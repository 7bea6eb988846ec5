/* Errors: one convention for the whole program.
 *
 * A function that can fail returns 0 or a negative `enum err`, takes `struct error *err` last and
 * fills it once: the first error wins, NULL is allowed, success leaves it untouched. The text is
 * lower case, has no full stop, names the thing and, where there is one, the fix:
 * "rules.min_support: expected a number in (0,1], got 'x'". Any thread. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdint.h>

/* name, what it means. The HTTP status of each is decided once, in http/respond.c. */
#define ERR_MAP(X)                                                                                 \
    X(NOMEM, "out of memory")                                                                      \
    X(INVALID, "invalid input")                                                                    \
    X(NOT_FOUND, "not found")                                                                      \
    X(CONFLICT, "conflict with the present state")                                                 \
    X(TOO_LARGE, "larger than a limit allows")                                                     \
    X(LIMIT, "a budget or queue is full")                                                          \
    X(NOT_READY, "not ready yet")                                                                  \
    X(CANCELLED, "cancelled")                                                                      \
    X(CORRUPT, "stored data is damaged")                                                           \
    X(IO, "input/output failed")                                                                   \
    X(DB, "the database failed")                                                                   \
    X(FULL, "no space left on the device")                                                         \
    X(INTERNAL, "a bug")

enum err_ordinal {
#define X(name, text) ERR_ORDINAL_##name,
    ERR_MAP(X)
#undef X
        ERR_COUNT
};

enum err {
    OK = 0,
#define X(name, text) ERR_##name = -1 - ERR_ORDINAL_##name,
    ERR_MAP(X)
#undef X
};

struct error {
    enum err code;   /* OK until set */
    char text[256];  /* NUL-terminated, cut if longer */
    uint64_t line;   /* 1-based input line the error belongs to; 0: none */
    uint64_t offset; /* byte offset in the input; 0: none or the start */
};

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        .code = OK                                                                                 \
    }

#define WARN_UNUSED __attribute__((warn_unused_result))

/* Sets the error unless one is set already (first wins) and returns `code`, so that
 * `return error_set(err, ERR_INVALID, "limit: …")` is the idiom. */
int error_set(struct error *err, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of errno added; ENOSPC and EDQUOT turn ERR_IO to ERR_FULL,
 * ENOMEM turns any code to ERR_NOMEM. */
int error_set_errno(struct error *err, enum err code, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the text of a set error. */
void error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Back to no error. */
void error_clear(struct error *err);

/* "NOT_FOUND" for ERR_NOT_FOUND; static string. */
const char *err_name(enum err code);

/* What the code means, for a person; static string. */
const char *err_meaning(enum err code);

#endif
