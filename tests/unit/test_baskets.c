#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"
#include "data/baskets.h"
#include "support/basketcheck.h"
#include "support/oom.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct baskets parse(const char *text)
{
    struct baskets b;
    struct error err = ERROR_INIT;
    if (baskets_parse(str_of(text), 1, &b, &err) != 0)
        fail_msg("%s", err.text);
    return b;
}

/* "1 2|3" of the columns' names. */
static void assert_reads(const char *text, const char *expected)
{
    struct baskets b = parse(text);
    struct buf got;
    char room[BASKETS_NUMBER_BYTES];
    buf_init(&got, 0);
    for (uint32_t r = 0; r < b.rows.rows; r++) {
        buf_text(&got, r ? "|" : "");
        for (uint64_t e = b.rows.start[r]; e < b.rows.start[r + 1]; e++) {
            buf_text(&got, e > b.rows.start[r] ? " " : "");
            buf_str(&got, baskets_name(&b, b.rows.column[e], room));
        }
    }
    assert_string_equal(buf_cstr(&got), expected);
    buf_deinit(&got);
    baskets_deinit(&b);
}

static void reads_baskets_of_numbers(void **state)
{
    (void)state;
    assert_reads("1 2 3\n10 200 3000\n", "1 2 3|10 200 3000");
    assert_reads("0\n65535 7\n", "0|7 65535");
    struct baskets b = parse("5 1234567\n");
    assert_int_equal(b.names.count, 2); /* far apart: columns are not the numbers */
    assert_int_equal(b.rows.cols, 2);
    baskets_deinit(&b);
    b = parse("3 5\n");
    assert_int_equal(b.names.count, 0);
    assert_int_equal(b.rows.cols, 6);
    assert_int_equal(baskets_find(&b, STR("5")), 5);
    assert_int_equal(baskets_find(&b, STR("6")), DICT_NONE);
    assert_int_equal(baskets_find(&b, STR("05")), DICT_NONE);
    baskets_deinit(&b);
}

static void sorts_rows_and_drops_repeated_items(void **state)
{
    (void)state;
    struct baskets b = parse("3 1 2 1 3\n2 2 2\n");
    assert_int_equal(b.repeats, 4);
    baskets_deinit(&b);
    assert_reads("3 1 2 1 3\n2 2 2\n", "1 2 3|2");
    assert_reads("b a b\nc a\n", "a b|a c");
}

static void takes_every_line_as_a_basket(void **state)
{
    (void)state;
    assert_reads("1\n\n2\n", "1||2");
    assert_reads("\n\n", "|");
    assert_reads("1\n  \t\n", "1|");
    assert_reads("1 2", "1 2");
    assert_reads("1 2 ", "1 2");
    assert_reads("a\n\nb", "a||b");
    assert_reads(" \n", "");
    struct baskets b = parse("");
    assert_int_equal(b.rows.rows, 0);
    baskets_deinit(&b);
}

static void takes_crlf_and_tabs(void **state)
{
    (void)state;
    assert_reads("1 2\r\n\r\n3\t4\r\n", "1 2||3 4");
    assert_reads("  12   13  \n", "12 13");
    assert_reads("a b\r\n\tc\r\n", "a b|c");
}

static void reads_names_where_an_item_is_no_small_number(void **state)
{
    (void)state;
    assert_reads("10 9 -1 +5 007\n", "9 10 +5 -1 007");
    assert_reads("4294967297 18446744073709551617 12345678\n",
                 "12345678 4294967297 18446744073709551617");
    assert_reads("milk br\xc3\xb6t 85123A\n", "85123A br\xc3\xb6t milk");
    assert_reads("1 2\n3 x\n", "1 2|3 x");
}

static void assert_refused(struct str text, uint64_t line, const char *why)
{
    struct baskets b;
    struct error err = ERROR_INIT;
    assert_int_equal(baskets_parse(text, 1, &b, &err), ERR_INVALID);
    assert_int_equal(err.line, line);
    assert_non_null(strstr(err.text, why));
}

static void refuses_control_bytes_bad_utf8_and_long_items(void **state)
{
    char long_item[300];
    (void)state;
    assert_refused(STR("1 2\n3\0 4\n"), 2, "control character");
    assert_refused(STR("a\vb\n"), 1, "control character");
    assert_refused(STR("1\n2\n\x01\n"), 3, "control character");
    assert_refused(STR("1\n\xff\xfe\n"), 2, "UTF-8");
    memset(long_item, 'x', sizeof long_item);
    assert_refused((struct str){long_item, 257}, 1, "longer than 256 bytes");
}

static void reads_a_line_of_a_million_items(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 0);
    for (uint32_t i = 1000000; i-- > 0;) { /* descending: the row has to be sorted */
        buf_u64(&text, i);
        buf_char(&text, i ? ' ' : '\n');
    }
    struct baskets b;
    assert_int_equal(baskets_parse((struct str){text.ptr, text.len}, 2, &b, NULL), 0);
    assert_int_equal(b.rows.rows, 1);
    assert_int_equal(csr_entries(&b.rows), 1000000);
    for (uint32_t i = 0; i < 1000000; i++)
        assert_int_equal(b.rows.column[i], i);
    baskets_deinit(&b);
    buf_deinit(&text);
}

/* Lines of words of a small alphabet, so that every state of the reader is met. */
static void random_text(struct rng *r, struct buf *out, bool names)
{
    static const char *const words[] = {"1",  "12", "123", "1234567", "0",      "\n", "\n",
                                        "\t", "\r", " ",   "  ",      "999999", "77", "88888"};
    static const char *const odd[] = {"a", "007", "12345678", "-1", "b\xc3\xa4"};
    uint32_t count = (uint32_t)rng_below(r, 60);
    for (uint32_t i = 0; i < count; i++) {
        if (names && rng_below(r, 8) == 0)
            buf_text(out, odd[rng_below(r, sizeof odd / sizeof odd[0])]);
        else
            buf_text(out, words[rng_below(r, sizeof words / sizeof words[0])]);
        if (rng_below(r, 2))
            buf_char(out, ' ');
    }
}

static void random_texts_read_as_the_slow_reader_does(void **state)
{
    struct rng r;
    struct buf text;
    (void)state;
    rng_seed(&r, 5);
    buf_init(&text, 0);
    for (int i = 0; i < 20000; i++) {
        buf_clear(&text);
        random_text(&r, &text, i % 2);
        char *exact = malloc(text.len + 1); /* so that a sanitizer sees reads behind the text */
        assert_non_null(exact);
        memcpy(exact, text.ptr ? text.ptr : "", text.len);
        assert_true(basketcheck((struct str){exact, text.len}, 1));
        free(exact);
    }
    buf_deinit(&text);
}

static void threads_do_not_change_what_is_read(void **state)
{
    struct rng r;
    struct buf text;
    (void)state;
    rng_seed(&r, 6);
    buf_init(&text, 0);
    while (text.len < 2000000)
        random_text(&r, &text, false);
    for (uint32_t threads = 1; threads <= 7; threads += 2)
        assert_true(basketcheck((struct str){text.ptr, text.len}, threads));
    text.len -= 1; /* one line of what is left, longer than a part */
    for (size_t i = 1000; i < text.len; i++)
        if (text.ptr[i] == '\n')
            text.ptr[i] = ' ';
    assert_true(basketcheck((struct str){text.ptr, text.len}, 4));
    buf_deinit(&text);
}

static void failing_allocations_are_errors(void **state)
{
    static const char *const texts[] = {"1 2 3\n2 1\n", "a b\nb a 7\n"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        OOM_LOOP
        {
            struct baskets b;
            int rc = baskets_parse(str_of(texts[i]), 1, &b, NULL);
            if (rc == 0)
                baskets_deinit(&b);
            else
                assert_int_equal(rc, ERR_NOMEM);
            assert_true(rc == 0 || oom_fired());
        }
    }
    struct buf text;
    buf_init(&text, 0);
    while (text.len < 600000)
        buf_text(&text, "1 2 3 4 5\n");
    OOM_LOOP
    {
        struct baskets b;
        int rc = baskets_parse((struct str){text.ptr, text.len}, 2, &b, NULL);
        if (rc == 0)
            baskets_deinit(&b);
        else
            assert_int_equal(rc, ERR_NOMEM);
    }
    buf_deinit(&text);
}

static void shared_files_have_the_published_sizes(void **state)
{
    static const struct {
        const char *file;
        uint32_t baskets;
        uint64_t entries;
    } known[] = {{"fimi/retail.dat.gz", 88162, 908576},
                 {"fimi/T10I4D100K.dat.gz", 100000, 1010228},
                 {"fimi/online_retail.dat.gz", 20728, 520750}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct buf text;
        struct baskets b;
        buf_init(&text, 0);
        if (!shared_unpack(known[i].file, &text)) {
            print_message("skipped: no shared data\n");
            skip();
        }
        assert_int_equal(baskets_parse((struct str){text.ptr, text.len}, 2, &b, NULL), 0);
        assert_int_equal(b.rows.rows, known[i].baskets);
        assert_int_equal(csr_entries(&b.rows), known[i].entries);
        assert_int_equal(b.repeats, 0);
        baskets_deinit(&b);
        buf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_baskets_of_numbers),
        cmocka_unit_test(sorts_rows_and_drops_repeated_items),
        cmocka_unit_test(takes_every_line_as_a_basket),
        cmocka_unit_test(takes_crlf_and_tabs),
        cmocka_unit_test(reads_names_where_an_item_is_no_small_number),
        cmocka_unit_test(refuses_control_bytes_bad_utf8_and_long_items),
        cmocka_unit_test(reads_a_line_of_a_million_items),
        cmocka_unit_test(random_texts_read_as_the_slow_reader_does),
        cmocka_unit_test(threads_do_not_change_what_is_read),
        cmocka_unit_test(failing_allocations_are_errors),
        cmocka_unit_test(shared_files_have_the_published_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
