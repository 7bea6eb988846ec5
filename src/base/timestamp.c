/* Timestamps by plain arithmetic on the proleptic Gregorian calendar (Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"); no time zone files, no locale. */
#include "base/str.h"

#define DAY_MS  86400000LL
#define LAST_MS 253402300799999LL /* the end of 9999 */

static int64_t days_from_civil(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400;
    int of_era = year - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool date_ok(int year, int month, int day)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= length[month - 1] + (month == 2 && is_leap(year));
}

struct scan {
    struct str s;
    size_t at;
    bool ok;
};

/* Between `min` and `max` digits. */
static int number(struct scan *c, size_t min, size_t max)
{
    int value = 0;
    size_t count = 0;
    while (count < max && c->at < c->s.len && c->s.ptr[c->at] >= '0' && c->s.ptr[c->at] <= '9') {
        value = value * 10 + (c->s.ptr[c->at++] - '0');
        count++;
    }
    c->ok = c->ok && count >= min;
    return value;
}

static bool take(struct scan *c, char wanted)
{
    if (c->at < c->s.len && c->s.ptr[c->at] == wanted) {
        c->at++;
        return true;
    }
    return false;
}

static void need(struct scan *c, char wanted)
{
    if (!take(c, wanted))
        c->ok = false;
}

/* What follows the point of the seconds: at least one digit, those after the third are dropped. */
static int fraction(struct scan *c)
{
    int millis = 0, scale = 100;
    size_t from = c->at;
    for (; c->at < c->s.len && c->s.ptr[c->at] >= '0' && c->s.ptr[c->at] <= '9'; c->at++) {
        millis += (c->s.ptr[c->at] - '0') * scale;
        scale /= 10;
    }
    c->ok = c->ok && c->at > from;
    return millis;
}

/* HH:MM[:SS[.fraction]] as milliseconds of the day; a leap second is taken as the next second. */
static int64_t time_of_day(struct scan *c, size_t hour_digits)
{
    int hour = number(c, hour_digits, 2);
    need(c, ':');
    int minute = number(c, 2, 2), second = 0, millis = 0;
    if (take(c, ':')) {
        second = number(c, 2, 2);
        if (take(c, '.'))
            millis = fraction(c);
    }
    if (hour > 23 || minute > 59 || second > (minute == 59 ? 60 : 59))
        c->ok = false;
    return ((hour * 60LL + minute) * 60 + second) * 1000 + millis;
}

/* Z, +hh:mm, -hhmm or nothing (UTC). */
static int64_t zone(struct scan *c)
{
    if (c->at == c->s.len || take(c, 'Z') || take(c, 'z'))
        return 0;
    bool minus = c->s.ptr[c->at] == '-';
    if (!take(c, '-'))
        need(c, '+');
    int hours = number(c, 2, 2);
    take(c, ':');
    int minutes = number(c, 2, 2);
    if (hours > 23 || minutes > 59)
        c->ok = false;
    int64_t offset = (hours * 60LL + minutes) * 60000;
    return minus ? -offset : offset;
}

static bool finish(struct scan *c, int64_t value, int64_t *out)
{
    if (!c->ok || c->at != c->s.len || value < 0 || value > LAST_MS)
        return false;
    *out = value;
    return true;
}

static bool iso_date(struct scan *c, int64_t *out)
{
    int year = number(c, 4, 4);
    need(c, '-');
    int month = number(c, 2, 2);
    need(c, '-');
    int day = number(c, 2, 2);
    if (!c->ok || !date_ok(year, month, day))
        return false;
    int64_t value = days_from_civil(year, month, day) * DAY_MS;
    if (c->at < c->s.len) {
        if (!take(c, 'T') && !take(c, 't'))
            need(c, ' ');
        value += time_of_day(c, 2);
        value -= zone(c);
    }
    return finish(c, value, out);
}

static bool us_date(struct scan *c, int64_t *out)
{
    int month = number(c, 1, 2);
    need(c, '/');
    int day = number(c, 1, 2);
    need(c, '/');
    int year = number(c, 4, 4);
    if (!c->ok || !date_ok(year, month, day))
        return false;
    int64_t value = days_from_civil(year, month, day) * DAY_MS;
    if (c->at < c->s.len) {
        need(c, ' ');
        value += time_of_day(c, 1);
    }
    return finish(c, value, out);
}

static bool epoch(struct str s, int64_t *out)
{
    uint64_t value;
    if (!str_to_u64(s, &value) || value > LAST_MS)
        return false;
    *out = (int64_t)(value < 100000000000 ? value * 1000 : value);
    return true;
}

bool str_to_time_ms(struct str s, int64_t *out)
{
    struct scan c = {.s = s, .ok = true};
    if (s.len >= 5 && s.ptr[4] == '-')
        return iso_date(&c, out);
    if (s.len >= 3 && (s.ptr[1] == '/' || s.ptr[2] == '/'))
        return us_date(&c, out);
    return epoch(s, out);
}

/* `digits` digits and what follows them; returns where to go on. */
static char *put(char *to, int value, int digits, char after)
{
    for (int i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    to[digits] = after;
    return to + digits + 1;
}

void time_ms_format(int64_t time_ms, char out[25])
{
    if (time_ms < 0)
        time_ms = 0;
    if (time_ms > LAST_MS)
        time_ms = LAST_MS;
    int64_t z = time_ms / DAY_MS + 719468;
    int rest = (int)(time_ms % DAY_MS);
    int64_t era = z / 146097;
    int of_era = (int)(z - era * 146097);
    int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int mp = (5 * of_year + 2) / 153;
    int day = of_year - (153 * mp + 2) / 5 + 1, month = mp + (mp < 10 ? 3 : -9);
    int year = year_of_era + (int)era * 400 + (month <= 2);
    char *at = put(out, year, 4, '-');
    at = put(at, month, 2, '-');
    at = put(at, day, 2, 'T');
    at = put(at, rest / 3600000, 2, ':');
    at = put(at, rest / 60000 % 60, 2, ':');
    at = put(at, rest / 1000 % 60, 2, '.');
    at = put(at, rest % 1000, 3, 'Z');
    *at = '\0';
}
