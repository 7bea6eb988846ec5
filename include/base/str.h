/* Slices of bytes and strict parsing. A slice is borrowed, never NUL-terminated by promise, and may
 * hold any byte. Parsers accept the whole slice or nothing, ignore the locale and allocate nothing.
 * Any thread. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf's "%.*s". */
#define STR_ARG(s) ((int)(s).len), ((s).ptr ? (s).ptr : "")

struct str str_of(const char *text); /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
int str_cmp(struct str a, struct str b);        /* byte order, shorter first */
bool str_starts(struct str s, struct str prefix);
struct str str_trim(struct str s); /* ASCII blanks at both ends */

/* Cuts the part before `separator` off *rest and returns it; the whole rest when there is none.
 * *rest becomes STR_NONE (ptr NULL) after the last part. */
struct str str_cut(struct str *rest, char separator);

bool str_to_u64(struct str s, uint64_t *out); /* digits only, no sign */
bool str_to_i64(struct str s, int64_t *out);  /* optional leading '-' or '+' */
/* Correctly rounded, finite: [-+]digits[.digits][e[-+]digits], a digit on one side of the point. */
bool str_to_f64(struct str s, double *out);
bool str_to_percent(struct str s, double *out); /* such a number and %: "0.1%" gives .001 */

/* The same form, as exact hundredths rounded half away from zero; "12,5", "1.234,50", "£3.40" are
 * not guessed at. False when malformed or beyond +-9e15 hundredths, which a double still holds. */
bool str_to_minor(struct str s, int64_t *out);

/* RFC 3339 ("2026-01-02T03:04:05.678Z", offsets, also without their colon; a blank instead of T),
 * the same without seconds or offset (taken as UTC), "YYYY-MM-DD", "M/D/YYYY" and "M/D/YYYY H:MM"
 * (UCI's older files), or an epoch: seconds when below 1e11, else milliseconds. Milliseconds since
 * 1970 UTC, what is finer is cut off. Years 1970 to 9999. */
bool str_to_time_ms(struct str s, int64_t *out);

/* "2026-01-02T03:04:05.678Z" into out[25], NUL included. */
void time_ms_format(int64_t time_ms, char out[25]);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(struct str s);

/* An external id: UTF-8, 1 to LIMIT_ID_BYTES bytes, no control characters. NULL when good, else why
 * not, as a static string that may follow the field's name ("is empty"). */
const char *id_problem(struct str s);

#endif
