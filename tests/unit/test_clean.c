#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/clean.h"
#include "support/transcript.h"

#include <stdio.h>
#include <string.h>

static const int64_t NOW_MS = 1767323045000; /* 2026-01-02T03:04:05Z */
static const struct place HERE = {7, -1};

struct bench {
    struct cleaner clean;
    struct buf out;
};

static void begin(struct bench *b, const char *include, const char *exclude)
{
    struct error err = ERROR_INIT;
    const struct reader_options options = {
        .now_ms = NOW_MS, .include_items = include, .exclude_items = exclude};
    buf_init(&b->out, 0);
    const struct reader_sink sink = transcript_sink(&b->out);
    int rc = clean_init(&b->clean, &options, &sink, &err);
    assert_int_equal(rc, 0);
}

static void end(struct bench *b, const char *expected)
{
    transcript_counts(&b->out, &b->clean.counts);
    assert_string_equal(buf_cstr(&b->out), expected);
    buf_deinit(&b->out);
    clean_deinit(&b->clean);
    clean_deinit(&b->clean);
}

/* A row with one value of interest; reason NULL: it is good. */
static void row(struct str quantity, struct str price, struct str title, int64_t expected_quantity,
                int64_t expected_price, const char *reason)
{
    struct bench b;
    struct record_line line;
    struct raw_line raw = {STR("a"), title, quantity, price};
    char expected[256];
    begin(&b, NULL, NULL);
    enum line_class class = clean_line(&b.clean, HERE, &raw, &line);
    assert_int_equal(class, reason ? LINE_REJECTED : LINE_GOOD);
    if (!reason) {
        assert_true(line.quantity == expected_quantity);
        assert_true(line.price_minor == expected_price);
    }
    snprintf(expected, sizeof expected, "%s%s%slines read=1%s\n", reason ? "problem 7 " : "",
             reason ? reason : "", reason ? "\n" : "", reason ? " rejected=1" : "");
    end(&b, expected);
}

static void quantities_are_whole_numbers_within_the_limit(void **state)
{
    (void)state;
    const struct str none = STR_NONE;
    row(none, none, none, 1, RECORD_NO_PRICE, NULL);
    row(STR("12"), none, none, 12, RECORD_NO_PRICE, NULL);
    row(STR("-3"), none, none, -3, RECORD_NO_PRICE, NULL);
    row(STR("2.000"), none, none, 2, RECORD_NO_PRICE, NULL);
    row(STR("1000000000"), none, none, 1000000000, RECORD_NO_PRICE, NULL);
    row(STR("-1000000000"), none, none, -1000000000, RECORD_NO_PRICE, NULL);
    row(STR("0"), none, none, 0, 0, "quantity: is zero");
    row(STR("0.0"), none, none, 0, 0, "quantity: is zero");
    row(STR("1000000001"), none, none, 0, 0, "quantity: '1000000001' is beyond 1000000000");
    row(STR("-1000000001"), none, none, 0, 0, "quantity: '-1000000001' is beyond 1000000000");
    row(STR("1.5"), none, none, 0, 0, "quantity: expected a whole number, got '1.5'");
    row(STR("1."), none, none, 0, 0, "quantity: expected a whole number, got '1.'");
    row(STR(".0"), none, none, 0, 0, "quantity: expected a whole number, got '.0'");
    row(STR("1e3"), none, none, 0, 0, "quantity: expected a whole number, got '1e3'");
    row(STR("99999999999999999999"), none, none, 0, 0,
        "quantity: expected a whole number, got '99999999999999999999'");
}

static void prices_are_amounts_from_zero(void **state)
{
    (void)state;
    const struct str none = STR_NONE;
    row(none, STR("3.50"), none, 1, 350, NULL);
    row(none, STR("0"), none, 1, 0, NULL);
    row(none, STR("1.005"), none, 1, 101, NULL);
    row(none, STR("-0.01"), none, 0, 0, "price: is negative: '-0.01'");
    row(none, STR("$3"), none, 0, 0, "price: expected an amount such as 12.50, got '$3'");
    row(none, STR("1,5"), none, 0, 0, "price: expected an amount such as 12.50, got '1,5'");
    row(none, STR("1e99"), none, 0, 0, "price: expected an amount such as 12.50, got '1e99'");
}

static void titles_have_a_limit_and_are_utf8(void **state)
{
    (void)state;
    char title[LIMIT_TITLE_BYTES + 1];
    const struct str none = STR_NONE;
    memset(title, 'x', sizeof title);
    row(none, none, (struct str){title, LIMIT_TITLE_BYTES}, 1, RECORD_NO_PRICE, NULL);
    row(none, none, (struct str){title, LIMIT_TITLE_BYTES + 1}, 0, 0,
        "title: longer than 1024 bytes");
    row(none, none, STR("caf\xe9"), 0, 0,
        "title: not valid UTF-8; is the file Latin-1? iconv -t utf-8 converts it");
}

static enum line_class class_of(struct bench *b, struct str item_id)
{
    struct record_line line;
    struct raw_line raw = {.item_id = item_id, .quantity = STR("x")};
    return clean_line(&b->clean, HERE, &raw, &line);
}

static void item_filters_exclude_before_values_are_judged(void **state)
{
    (void)state;
    struct bench b;
    char longest[LIMIT_ID_BYTES];
    memset(longest, '5', sizeof longest);
    begin(&b, "^[0-9]{5}", "9$");
    assert_int_equal(class_of(&b, STR("POST")), LINE_EXCLUDED);
    assert_int_equal(class_of(&b, STR("12345")), LINE_REJECTED);
    assert_int_equal(class_of(&b, STR("12349")), LINE_EXCLUDED);
    assert_int_equal(class_of(&b, (struct str){longest, sizeof longest}), LINE_REJECTED);
    assert_int_equal(class_of(&b, STR("")), LINE_REJECTED);
    end(&b, "problem 7 quantity: expected a whole number, got 'x'\n"
            "problem 7 quantity: expected a whole number, got 'x'\n"
            "problem 7 item_id: is empty\n"
            "lines read=5 excluded=2 rejected=3\n");
}

static void events_items_and_cancels_are_judged_whole(void **state)
{
    (void)state;
    struct bench b;
    struct error err = ERROR_INIT;
    begin(&b, NULL, "^x");
    struct raw_event events[] = {
        {.event = STR("view"), .item_id = STR("a"), .time = STR("2026-01-03T03:04:05Z")},
        {.event = STR("view"), .item_id = STR("a"), .time = STR("2026-01-03T03:04:05.001Z")},
        {.event = STR("view"), .item_id = STR("x")},
        {.event = STR("view"), .item_id = STR("a"), .session_id = STR("a\nb")},
        {.item_id = STR("a")},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        int rc = clean_event(&b.clean, HERE, &events[i], &err);
        assert_int_equal(rc, 0);
    }
    struct raw_item items[] = {
        {.item_id = STR("a"), .fields = ITEM_STOCK, .stock = STR("3")},
        {.item_id = STR("xa")},
        {.item_id = STR("a"), .fields = ITEM_STOCK, .stock = STR("-3")},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        int rc = clean_item(&b.clean, HERE, &items[i], &err);
        assert_int_equal(rc, 0);
    }
    int rc = clean_cancel(&b.clean, HERE, STR("1"), &err);
    assert_int_equal(rc, 0);
    rc = clean_cancel(&b.clean, HERE, STR_NONE, &err);
    assert_int_equal(rc, 0);
    clean_check_counts(&b.clean);
    end(&b, "event 7 event=view item=\"a\" time=2026-01-03T03:04:05.000Z\n"
            "problem 7 timestamp: '2026-01-03T03:04:05.001Z' lies in the future\n"
            "problem 7 session_id: has a control character\n"
            "problem 7 event: expected view, cart, uncart, wish or purchase, got ''\n"
            "item 7 id=\"a\" fields=8 stock=3\n"
            "problem 7 stock: expected a whole number from 0, got '-3'\n"
            "cancel 7 id=\"1\"\n"
            "problem 7 order_id: is missing\n"
            "items read=3 excluded=1 rejected=1\n"
            "events read=5 excluded=1 rejected=3\n"
            "cancels read=2 rejected=1\n");
}

static void problems_inside_items_say_which(void **state)
{
    (void)state;
    struct bench b;
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    begin(&b, NULL, NULL);
    clean_problem(&b.clean, (struct place){1, 0}, "price", "%s", "bad");
    clean_problem(&b.clean, (struct place){2, 999999}, "", "bad");
    clean_problem(&b.clean, (struct place){3, -1}, name, "bad");
    name[100] = '\0';
    char expected[400];
    snprintf(expected, sizeof expected,
             "problem 1 items[0].price: bad\nproblem 2 items[999999]: bad\nproblem 3 %s: bad\n",
             name);
    end(&b, expected);
}

static void a_sink_without_problems_is_fine(void **state)
{
    (void)state;
    struct cleaner c;
    struct error err = ERROR_INIT;
    const struct reader_options options = {0};
    const struct reader_sink sink = {0};
    int rc = clean_init(&c, &options, &sink, &err);
    assert_int_equal(rc, 0);
    assert_true(c.now_ms > NOW_MS - 365LL * 86400000);
    clean_reject(&c, &c.counts.lines, HERE, "x", "bad");
    assert_int_equal(c.counts.lines.rejected, 1);
    clean_check_counts(&c);
    clean_deinit(&c);
}

static void a_bad_regular_expression_is_an_error_that_names_the_option(void **state)
{
    (void)state;
    struct cleaner c;
    struct error err = ERROR_INIT, other = ERROR_INIT;
    const struct reader_sink sink = {0};
    struct reader_options options = {.include_items = "(", .exclude_items = NULL};
    assert_int_equal(clean_init(&c, &options, &sink, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "include_items: '(' is not a regular expression"));
    options = (struct reader_options){.include_items = "a", .exclude_items = "["};
    assert_int_equal(clean_init(&c, &options, &sink, &other), ERR_INVALID);
    assert_non_null(strstr(other.text, "exclude_items: '['"));
}

static void excerpts_are_short_and_valid_utf8(void **state)
{
    (void)state;
    struct excerpt room;
    assert_string_equal(excerpt(STR_NONE, &room), "");
    assert_string_equal(excerpt(STR("abc"), &room), "abc");
    assert_string_equal(excerpt(STR("0123456789012345678901234567890123456789"), &room),
                        "0123456789012345678901234567890123456789");
    assert_string_equal(excerpt(STR("01234567890123456789012345678901234567890"), &room),
                        "0123456789012345678901234567890123456789\xe2\x80\xa6");
    assert_string_equal(
        excerpt(STR("01234567890123456789012345678901234567\xf0\x9f\x98\x80"), &room),
        "01234567890123456789012345678901234567\xe2\x80\xa6");
    assert_string_equal(excerpt(STR("a\xff\xc3\0b"), &room), "a???b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_are_whole_numbers_within_the_limit),
        cmocka_unit_test(prices_are_amounts_from_zero),
        cmocka_unit_test(titles_have_a_limit_and_are_utf8),
        cmocka_unit_test(item_filters_exclude_before_values_are_judged),
        cmocka_unit_test(events_items_and_cancels_are_judged_whole),
        cmocka_unit_test(problems_inside_items_say_which),
        cmocka_unit_test(a_sink_without_problems_is_fine),
        cmocka_unit_test(a_bad_regular_expression_is_an_error_that_names_the_option),
        cmocka_unit_test(excerpts_are_short_and_valid_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
