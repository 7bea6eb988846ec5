/* Growable bytes: what is written, the maximum to the byte, the failure that sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"
#include "support/oom.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct str bytes(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

static void appending_adds_up(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_str(&b, STR_NONE);
    assert_string_equal(buf_cstr(&b), "");
    buf_text(&b, "one");
    buf_char(&b, ' ');
    buf_str(&b, STR("two"));
    buf_add(&b, "\0", 1);
    buf_u64(&b, UINT64_MAX);
    buf_i64(&b, INT64_MIN);
    buf_i64(&b, 0);
    buf_i64(&b, -7);
    buf_printf(&b, "%s=%d", "x", 5);
    assert_true(
        str_eq(bytes(&b), STR("one two\00018446744073709551615-92233720368547758080-7x=5")));
    assert_int_equal(buf_cstr(&b)[b.len], '\0');
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_false(b.failed);
    buf_deinit(&b);
    buf_deinit(&b);
    assert_null(b.ptr);
}

static void numbers_of_every_length_are_written(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    uint64_t value = 1;
    for (int digits = 1; digits <= 20; digits++, value *= 10) {
        for (uint64_t near = value - 1; near <= value + 1; near++) {
            char want[24];
            snprintf(want, sizeof want, "%" PRIu64, near);
            buf_clear(&b);
            buf_u64(&b, near);
            assert_string_equal(buf_cstr(&b), want);
        }
    }
    buf_deinit(&b);
}

static void printing_more_than_the_room_grows_it(void **state)
{
    (void)state;
    struct buf b;
    char text[5000];
    memset(text, 'p', sizeof text);
    for (int length = 0; length < 5000; length += 61) {
        buf_init(&b, 0);
        buf_printf(&b, "%.*s", length, text);
        assert_true(str_eq(bytes(&b), (struct str){text, (size_t)length}));
        buf_printf(&b, "%.*s", length, text);
        assert_int_equal(b.len, 2 * length);
        assert_false(b.failed);
        buf_deinit(&b);
    }
}

static void the_maximum_holds_to_the_byte(void **state)
{
    (void)state;
    static const size_t maxima[] = {1, 63, 64, 65, 1000};
    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
        struct buf b;
        buf_init(&b, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++)
            buf_char(&b, 'x');
        assert_false(b.failed);
        assert_non_null(buf_cstr(&b));
        assert_int_equal(strlen(b.ptr), maxima[i]);
        buf_add(&b, "", 0);
        assert_false(b.failed);
        buf_char(&b, 'y');
        assert_true(b.failed);
        assert_int_equal(b.len, maxima[i]);
        assert_null(buf_cstr(&b));
        buf_clear(&b);
        buf_printf(&b, "%*d", (int)maxima[i], 7);
        assert_false(b.failed);
        buf_clear(&b);
        buf_printf(&b, "%*d", (int)maxima[i] + 1, 7);
        assert_true(b.failed);
        assert_int_equal(b.len, 0);
        buf_deinit(&b);
    }
}

static void after_a_failure_nothing_is_added(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_text(&b, "abc");
    buf_text(&b, "too long");
    assert_true(b.failed);
    buf_char(&b, 'd');
    buf_u64(&b, 1);
    buf_f64(&b, 1);
    buf_json_str(&b, STR(""));
    buf_printf(&b, "%d", 1);
    assert_true(str_eq(bytes(&b), STR("abc")));
    assert_null(buf_reserve(&b, 0));
    size_t len = 9;
    assert_null(buf_detach(&b, &len));
    assert_int_equal(len, 0);
    buf_text(&b, "abcd");
    assert_false(b.failed);
    buf_deinit(&b);
}

static void absurd_sizes_fail_and_do_not_wrap(void **state)
{
    (void)state;
    static const size_t maxima[] = {0, 100, SIZE_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct buf b;
        buf_init(&b, maxima[i]);
        buf_char(&b, 'x');
        assert_false(b.failed);
        assert_null(buf_reserve(&b, SIZE_MAX));
        assert_true(b.failed);
        buf_clear(&b);
        assert_null(buf_reserve(&b, SIZE_MAX - 1));
        buf_clear(&b);
        assert_null(buf_reserve(&b, PTRDIFF_MAX));
        buf_deinit(&b);
    }
}

static void reserved_room_is_filled_by_the_caller(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    char *room = buf_reserve(&b, 1000);
    assert_non_null(room);
    memset(room, 'r', 1000);
    b.len += 1000;
    assert_int_equal(strlen(buf_cstr(&b)), 1000);
    size_t len = 0;
    char *taken = buf_detach(&b, &len);
    assert_int_equal(len, 1000);
    assert_int_equal(taken[999], 'r');
    free(taken);
    assert_null(b.ptr);
    assert_null(buf_detach(&b, &len));
    buf_deinit(&b);
}

static void assert_f64(double value, const char *want)
{
    struct buf b;
    buf_init(&b, 0);
    buf_f64(&b, value);
    assert_string_equal(buf_cstr(&b), want);
    buf_deinit(&b);
}

static void doubles_are_short_and_money_is_exact(void **state)
{
    (void)state;
    assert_f64(0, "0");
    assert_f64(-0.0, "0");
    assert_f64(1, "1");
    assert_f64(-24.9, "-24.9");
    assert_f64(0.1, "0.1");
    assert_f64(1.0 / 3, "0.333333333");
    assert_f64(0.999999999999, "1");
    assert_f64(9.9999999999, "10");
    assert_f64(0.00001, "0.00001");
    assert_f64(0.000012345678912, "0.0000123456789");
    assert_f64(0.0000099, "9.9e-06");
    assert_f64(1234567890, "1234567890");
    assert_f64(12345678901.23, "12345678901.23");
    assert_f64(90000000000000.01, "90000000000000");
    assert_f64(9999999999999.99, "9999999999999.99");
    assert_f64(9007199254740993.0, "9007199254740992");
    assert_f64(1e18, "1000000000000000000");
    assert_f64(1e22, "1e+22");
    assert_f64(-DBL_MAX, "-1.79769313e+308");
    assert_f64(0x1p-1074, "4.94065646e-324");
    assert_f64(NAN, "null");
    assert_f64(INFINITY, "null");
    assert_f64(-INFINITY, "null");
}

static void doubles_come_back_within_nine_digits(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 31);
    struct buf b;
    buf_init(&b, 0);
    for (int i = 0; i < 200000; i++) {
        double value = (rng_unit(&rng) - 0.5) * pow(10, (int)rng_below(&rng, 60) - 30), back = NAN;
        buf_clear(&b);
        buf_f64(&b, value);
        assert_true(str_to_f64(bytes(&b), &back));
        if (fabs(back - value) > 5e-9 * fabs(value) || b.len > 24)
            fail_msg("%.17g became %s", value, buf_cstr(&b));
    }
    for (int i = 0; i < 200000; i++) {
        int64_t minor = (int64_t)(rng_u64(&rng) >> 15), back = -1; /* 14 to 15 digits */
        buf_clear(&b);
        buf_f64(&b, (double)minor / 100);
        assert_true(str_to_minor(bytes(&b), &back));
        if (back != minor)
            fail_msg("%" PRId64 " became %s", minor, buf_cstr(&b));
    }
    buf_deinit(&b);
}

static void the_locale_changes_no_number(void **state)
{
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *set = NULL;
    for (size_t i = 0; !set && i < sizeof commas / sizeof *commas; i++)
        set = setlocale(LC_NUMERIC, commas[i]);
    if (!set) {
        print_message("skipped: no locale with a decimal comma\n");
        skip();
    }
    double value = 0;
    assert_f64(2.5, "2.5");
    assert_f64(1.25e-9, "1.25e-09");
    assert_true(str_to_f64(STR("2.5"), &value));
    assert_true(value == 2.5);
    assert_true(str_to_f64(STR("0.30000000000000004"), &value));
    assert_true(value == 0.30000000000000004);
    setlocale(LC_NUMERIC, "C");
}

static void assert_json(struct str s, const char *want)
{
    struct buf b;
    buf_init(&b, 0);
    buf_json_str(&b, s);
    assert_string_equal(buf_cstr(&b), want);
    buf_deinit(&b);
}

static void json_strings_escape_what_must_be(void **state)
{
    (void)state;
    assert_json(STR_NONE, "\"\"");
    assert_json(STR("plain text of some length"), "\"plain text of some length\"");
    assert_json(STR("a\"b\\c\n\r\t\b\f\x01\x1f/\x7f"),
                "\"a\\\"b\\\\c\\n\\r\\t\\u0008\\u000c\\u0001\\u001f/\x7f\"");
    assert_json(STR("nul\0!"), "\"nul\\u0000!\"");
    assert_json(STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x92\xc2\xa2"),
                "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x92\xc2\xa2\"");
}

/* Escapes byte by byte: the plain version. */
static void escape_plainly(struct str s, struct buf *out)
{
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        const char *at = strchr("\"\\\nn\rr\tt", c);
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            buf_printf(out, "\\%c", at[1]);
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)c);
        else
            buf_char(out, c);
    }
    buf_char(out, '"');
}

static void json_strings_equal_the_plain_version(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 32);
    struct buf fast, plain;
    buf_init(&fast, 0);
    buf_init(&plain, 0);
    char text[64];
    for (int i = 0; i < 100000; i++) {
        size_t len = rng_below(&rng, sizeof text);
        uint32_t rare = 1 + rng_below(&rng, 60);
        for (size_t j = 0; j < len; j++)
            text[j] =
                (char)(rng_below(&rng, rare) ? 'a' + (int)(j % 26) : (int)rng_below(&rng, 256));
        buf_clear(&fast);
        buf_clear(&plain);
        buf_json_str(&fast, (struct str){text, len});
        escape_plainly((struct str){text, len}, &plain);
        assert_true(str_eq(bytes(&fast), bytes(&plain)));
    }
    buf_deinit(&fast);
    buf_deinit(&plain);
}

static void no_memory_is_a_failure_that_keeps_the_bytes(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct buf b;
        buf_init(&b, 0);
        for (int i = 0; i < 500; i++)
            buf_json_str(&b, STR("some text"));
        buf_printf(&b, "%5000d", 1);
        if (oom_fired()) {
            assert_true(b.failed);
            for (size_t i = 0; i < b.len; i++)
                assert_int_equal(b.ptr[i], "\"some text\""[i % 11]);
            assert_null(buf_cstr(&b));
            buf_clear(&b);
            buf_text(&b, "again");
            assert_string_equal(buf_cstr(&b), "again");
        } else {
            assert_int_equal(b.len, 500 * 11 + 5000);
        }
        buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_adds_up),
        cmocka_unit_test(numbers_of_every_length_are_written),
        cmocka_unit_test(printing_more_than_the_room_grows_it),
        cmocka_unit_test(the_maximum_holds_to_the_byte),
        cmocka_unit_test(after_a_failure_nothing_is_added),
        cmocka_unit_test(absurd_sizes_fail_and_do_not_wrap),
        cmocka_unit_test(reserved_room_is_filled_by_the_caller),
        cmocka_unit_test(doubles_are_short_and_money_is_exact),
        cmocka_unit_test(doubles_come_back_within_nine_digits),
        cmocka_unit_test(the_locale_changes_no_number),
        cmocka_unit_test(json_strings_escape_what_must_be),
        cmocka_unit_test(json_strings_equal_the_plain_version),
        cmocka_unit_test(no_memory_is_a_failure_that_keeps_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
