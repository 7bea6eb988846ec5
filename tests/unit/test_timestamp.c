/* Times: every day of eight thousand years against a plain calendar, every form, what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_MS  86400000LL
#define LAST_MS 253402300799999LL

static void every_day_of_the_calendar_is_right(void **state)
{
    (void)state;
    static const int days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day_ms = 0;
    for (int year = 1970; year <= 9999; year++) {
        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (int month = 1; month <= 12; month++) {
            int last = days_in[month - 1] + (month == 2 && leap);
            for (int day = 1; day <= last; day++, day_ms += DAY_MS) {
                int64_t value = -1;
                char out[25], text[40];
                snprintf(text, sizeof text, "%d-%02d-%02d", year, month, day);
                if (!str_to_time_ms(str_of(text), &value) || value != day_ms)
                    fail_msg("%s: %" PRId64, text, value);
                time_ms_format(value, out);
                if (!str_starts(str_of(out), str_of(text)))
                    fail_msg("%s: %s", text, out);
            }
            char beyond[40];
            int64_t unused = 7;
            snprintf(beyond, sizeof beyond, "%d-%02d-%02d", year, month, last + 1);
            assert_false(str_to_time_ms(str_of(beyond), &unused));
        }
    }
    assert_true(day_ms == LAST_MS + 1);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 21);
    char out[25];
    for (int i = 0; i < 100000; i++) {
        int64_t want = (int64_t)(rng_u64(&rng) % (LAST_MS + 1)), got = -1;
        time_ms_format(want, out);
        assert_true(str_to_time_ms(str_of(out), &got));
        assert_true(got == want);
    }
    time_ms_format(1767323045678, out);
    assert_string_equal(out, "2026-01-02T03:04:05.678Z");
    time_ms_format(-1, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    time_ms_format(INT64_MAX, out);
    assert_string_equal(out, "9999-12-31T23:59:59.999Z");
}

static void every_form_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"2026-01-02T03:04:05Z", 1767323045000},
        {"2026-01-02t03:04:05z", 1767323045000},
        {"2026-01-02 03:04:05", 1767323045000},
        {"2026-01-02T03:04:05.6Z", 1767323045600},
        {"2026-01-02T03:04:05.678999999999999Z", 1767323045678},
        {"2026-01-02T03:04:05.678", 1767323045678},
        {"2026-01-02T05:34:05+02:30", 1767323045000},
        {"2026-01-02T05:34:05+0230", 1767323045000},
        {"2026-01-01T22:04:05-05:00", 1767323045000},
        {"2026-01-02 03:04", 1767323040000},
        {"2026-01-02", 1767312000000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"12/1/2010 8:26", 1291191960000},
        {"12/01/2010 08:26", 1291191960000},
        {"12/1/2010", 1291161600000},
        {"1767323045", 1767323045000},
        {"1767323045678", 1767323045678},
        {"99999999999", 99999999999000},
        {"100000000000", 100000000000},
        {"0", 0},
        {"253402300799999", LAST_MS},
        {"9999-12-31T23:59:59.999Z", LAST_MS},
        {"1970-01-01T02:00:00+02:00", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = -1;
        if (!str_to_time_ms(str_of(cases[i].text), &got) || got != cases[i].want)
            fail_msg("%s: %" PRId64, cases[i].text, got);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "-1",
        "+1767323045",
        "1767323045.5",
        "253402300800000",
        "99999999999999999999",
        "1969-12-31",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01",
        "2026-00-01",
        "2026-13-01",
        "2026-01-00",
        "2025-02-29",
        "1900-02-29",
        "2026-1-2",
        "2026-01-02T",
        "2026-01-02T03",
        "2026-01-02T03:",
        "2026-01-02T3:04",
        "2026-01-02T24:00",
        "2026-01-02T03:60",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:59:61Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05 Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+02:60",
        "2026-01-02T03:04:05+2",
        "2026-01-02T03:04:05*02:00",
        "2026-01-02  03:04",
        "2026-01-02Z",
        " 2026-01-02",
        "2026-01-02 ",
        "2026/01/02",
        "0/1/2010 8:26",
        "13/1/2010 8:26",
        "2/29/2010 8:26",
        "12/1/10 8:26",
        "12/1/2010 8:6",
        "12/1/2010 8",
        "12/1/2010 ",
        "12/1/2010T8:26",
        "12-1-2010 8:26",
        "today",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 7;
        if (str_to_time_ms(str_of(bad[i]), &value) || value != 7)
            fail_msg("taken: '%s' as %" PRId64, bad[i], value);
    }
}

static void no_slice_reads_beyond_its_end(void **state)
{
    (void)state;
    static const char *const forms[] = {"2026-01-02T05:34:05.678+02:30", "12/1/2010 8:26"};
    for (size_t i = 0; i < 2; i++) {
        for (size_t length = 0; length <= str_of(forms[i]).len; length++) {
            char *copy = test_malloc(length + 1); /* guarded by cmocka, and by ASan */
            for (size_t j = 0; j < length; j++)
                copy[j] = forms[i][j];
            copy[length] = '9';
            int64_t with = 7;
            bool taken = str_to_time_ms((struct str){copy, length}, &with);
            copy[length] = ':';
            int64_t without = 7;
            assert_int_equal(str_to_time_ms((struct str){copy, length}, &without), taken);
            assert_true(with == without);
            test_free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_the_calendar_is_right),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_form_is_taken),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(no_slice_reads_beyond_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
