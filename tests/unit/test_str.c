/* Slices, ids and strict numbers: what is taken, to the last bit, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/rng.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void slices_are_compared_by_bytes(void **state)
{
    (void)state;
    assert_true(str_eq(STR("ab"), STR("ab")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_eq_nocase(STR("Order_ID@"), STR("oRDER_id@")));
    assert_false(str_eq_nocase(STR("@["), STR("`{")));
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR("ab"), STR("ab")), 0);
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_starts(STR("order_id"), STR("order")));
    assert_true(str_starts(STR("order"), STR_NONE));
    assert_false(str_starts(STR("ord"), STR("order")));
    assert_null(str_of(NULL).ptr);
    assert_int_equal(str_of("four").len, 4);
}

static void trimming_takes_blanks_at_both_ends_only(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(STR(" \t\r\n\v\fa b \n")), STR("a b")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim(STR_NONE).len, 0);
}

static void cutting_gives_every_part_and_then_none(void **state)
{
    (void)state;
    struct str rest = STR("a,,b,");
    assert_true(str_eq(str_cut(&rest, ','), STR("a")));
    assert_true(str_eq(str_cut(&rest, ','), STR("")));
    assert_true(str_eq(str_cut(&rest, ','), STR("b")));
    assert_non_null(rest.ptr);
    assert_true(str_eq(str_cut(&rest, ','), STR("")));
    assert_null(rest.ptr);
}

static void unsigned_numbers_are_digits_within_64_bits(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.",
                                      "0x1",
                                      "1e3",
                                      "a",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150"};
    uint64_t value = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_to_u64(str_of(bad[i]), &value));
    assert_false(str_to_u64(STR("1\0"), &value));
    assert_int_equal(value, 7);
    assert_true(str_to_u64(STR("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(str_to_u64(STR("000000000000000000000000042"), &value));
    assert_int_equal(value, 42);
}

static void signed_numbers_reach_both_ends(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_false(str_to_i64(STR("9223372036854775808"), &value));
    assert_false(str_to_i64(STR("-9223372036854775809"), &value));
    assert_false(str_to_i64(STR("-"), &value));
    assert_false(str_to_i64(STR("+-1"), &value));
    assert_false(str_to_i64(STR(""), &value));
    assert_int_equal(value, 7);
    assert_true(str_to_i64(STR("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(str_to_i64(STR("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_true(str_to_i64(STR("+5"), &value));
    assert_int_equal(value, 5);
    assert_true(str_to_i64(STR("-0"), &value));
    assert_int_equal(value, 0);
}

static double double_of(const char *text)
{
    double value = NAN;
    assert_true(str_to_f64(str_of(text), &value));
    return value;
}

static void doubles_of_every_form_are_rounded_correctly(void **state)
{
    (void)state;
    assert_true(double_of("0") == 0 && !signbit(double_of("0")));
    assert_true(signbit(double_of("-0.0")));
    assert_true(double_of("3.50") == 3.5);
    assert_true(double_of("+.5") == 0.5);
    assert_true(double_of("5.") == 5);
    assert_true(double_of("-12.5E-1") == -1.25);
    assert_true(double_of("0.1") == 0.1);
    assert_true(double_of("1e22") == 1e22);
    assert_true(double_of("1e23") == 1e23);
    assert_true(double_of("123456789012345678901234567890") == 123456789012345678901234567890.0);
    assert_true(double_of("1.7976931348623157e308") == 0x1.fffffffffffffp1023);
    assert_true(double_of("4.9406564584124654e-324") == 0x1p-1074);
    assert_true(double_of("1e-400") == 0);
    assert_true(double_of("0e999999999999999999999") == 0);
    /* Ties go to the even neighbour; one digit far behind the tie breaks it. */
    assert_true(double_of("9007199254740993") == 9007199254740992.0);
    assert_true(double_of("9007199254740995") == 9007199254740996.0);
    char tie[1200];
    int length = snprintf(tie, sizeof tie, "9007199254740993.%0*d", 1000, 1);
    assert_int_equal(length, 1017);
    assert_true(double_of(tie) == 9007199254740994.0);
    /* A thousand zeros and the exponent cancel. */
    char shifted[1200] = "0.";
    memset(shifted + 2, '0', 1000);
    memcpy(shifted + 1002, "25e1001", 8);
    assert_true(double_of(shifted) == 2.5);
}

static void doubles_printed_with_enough_digits_come_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 11);
    char text[1500];
    for (int i = 0; i < 30000; i++) {
        uint64_t bits = rng_u64(&rng);
        double value, back = NAN;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        /* 17 digits are enough; 1200 decimals are the exact value of most. */
        snprintf(text, sizeof text, i % 10 ? "%.17g" : "%.1099f", value);
        if (i % 10 == 0 && fabs(value) < 1e-250)
            continue;
        assert_true(str_to_f64(str_of(text), &back));
        assert_true(back == value);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "-",     "+",     ".",     "-.",     "e5",    ".e5",  "1e",   "1e+",
        "1e-", "1e5.0", "1.2.3", "1,5",   "0x10",   "inf",   "nan",  " 1",   "1 ",
        "--1", "+-1",   "1_0",   "1e400", "-1e309", "£3.40", "1 e5", "1e 5", "1.234,50"};
    double value = 7;
    int64_t minor = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(str_to_f64(str_of(bad[i]), &value));
        assert_false(str_to_minor(str_of(bad[i]), &minor));
    }
    assert_false(str_to_f64(STR("1\0"), &value));
    assert_true(value == 7);
    assert_int_equal(minor, 7);
}

static int64_t minor_of(const char *text)
{
    int64_t value = -1;
    assert_true(str_to_minor(str_of(text), &value));
    return value;
}

static void prices_are_exact_hundredths(void **state)
{
    (void)state;
    assert_int_equal(minor_of("3.50"), 350);
    assert_int_equal(minor_of("3.5"), 350);
    assert_int_equal(minor_of("3"), 300);
    assert_int_equal(minor_of(".99"), 99);
    assert_int_equal(minor_of("-0.01"), -1);
    assert_int_equal(minor_of("1.005"), 101);
    assert_int_equal(minor_of("-1.005"), -101);
    assert_int_equal(minor_of("1.00499999999999999999999999"), 100);
    assert_int_equal(minor_of("2.675e0"), 268);
    assert_int_equal(minor_of("1.1e1"), 1100);
    assert_int_equal(minor_of("110e-1"), 1100);
    assert_int_equal(minor_of("5e-3"), 1);
    assert_int_equal(minor_of("4.9e-3"), 0);
    assert_int_equal(minor_of("9e-999999999999"), 0);
    assert_int_equal(minor_of("0e999999999999"), 0);
    assert_int_equal(minor_of("0.000000000000000000000000000000000000001e41"), 10000);
    assert_true(minor_of("90000000000000") == 9000000000000000);
    assert_true(minor_of("-90000000000000.00") == -9000000000000000);
    int64_t value = 7;
    assert_false(str_to_minor(STR("90000000000000.01"), &value));
    assert_false(str_to_minor(STR("-90000000000000.005"), &value));
    assert_false(str_to_minor(STR("1e14"), &value));
    assert_false(str_to_minor(STR("123456789012345678901234567890"), &value));
    assert_int_equal(value, 7);
}

static void prices_do_not_depend_on_where_the_point_stands(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 12);
    for (int i = 0; i < 30000; i++) {
        int64_t want = (int64_t)(rng_u64(&rng) % 9000000000000000u);
        char text[128];
        snprintf(text, sizeof text, "%" PRId64 ".%02d", want / 100, (int)(want % 100));
        assert_true(minor_of(text) == want);
        int shift = (int)rng_below(&rng, 40) - 20;
        snprintf(text, sizeof text, "-%" PRId64 "%.*se%d", want, shift > 0 ? shift : 0,
                 "00000000000000000000", -2 - (shift > 0 ? shift : 0));
        assert_true(minor_of(text) == -want);
        snprintf(text, sizeof text, "0.%.*s%" PRId64 "e%d", shift < 0 ? -shift : 0,
                 "00000000000000000000", want,
                 snprintf(NULL, 0, "%" PRId64, want) + (shift < 0 ? -shift : 0) - 2);
        assert_true(minor_of(text) == want);
    }
}

static void ids_hold_any_text_but_control_characters(void **state)
{
    (void)state;
    char longest[LIMIT_ID_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    assert_null(id_problem(STR("a")));
    assert_null(id_problem(STR("sku 1/\xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x92 ~")));
    assert_null(id_problem(STR("\xc2\xa0"))); /* U+00A0 is no control character */
    assert_null(id_problem((struct str){longest, LIMIT_ID_BYTES}));
    assert_string_equal(id_problem((struct str){longest, LIMIT_ID_BYTES + 1}),
                        "longer than 256 bytes");
    assert_string_equal(id_problem(STR("")), "is empty");
    assert_string_equal(id_problem(STR("abc\xff")), "not valid UTF-8");
    assert_string_equal(id_problem(STR("abcdefgh\xe2\x82")), "not valid UTF-8");
    for (int c = 0; c < 0x20; c++) {
        longest[9] = (char)c;
        assert_string_equal(id_problem((struct str){longest, 20}), "has a control character");
    }
    longest[9] = 0x7f;
    assert_string_equal(id_problem((struct str){longest, 20}), "has a control character");
    assert_string_equal(id_problem(STR("a\xc2\x85z")), "has a control character");
}

static void percents_are_shares(void **state)
{
    static const char *const bad[] = {"", "%", "5", "5 %", "%5", "5%%", "x%", "nan%", "1e999%"};
    double value = 7;
    (void)state;
    assert_true(str_to_percent(STR("0.1%"), &value));
    assert_true(value == 0.001);
    assert_true(str_to_percent(STR("100%"), &value));
    assert_true(value == 1);
    assert_true(str_to_percent(STR("-250%"), &value));
    assert_true(value == -2.5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_to_percent(str_of(bad[i]), &value));
    assert_true(value == -2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percents_are_shares),
        cmocka_unit_test(slices_are_compared_by_bytes),
        cmocka_unit_test(trimming_takes_blanks_at_both_ends_only),
        cmocka_unit_test(cutting_gives_every_part_and_then_none),
        cmocka_unit_test(unsigned_numbers_are_digits_within_64_bits),
        cmocka_unit_test(signed_numbers_reach_both_ends),
        cmocka_unit_test(doubles_of_every_form_are_rounded_correctly),
        cmocka_unit_test(doubles_printed_with_enough_digits_come_back),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(prices_are_exact_hundredths),
        cmocka_unit_test(prices_do_not_depend_on_where_the_point_stands),
        cmocka_unit_test(ids_hold_any_text_but_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
