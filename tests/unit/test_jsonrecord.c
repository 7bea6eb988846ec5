#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/jsonrecord.h"
#include "support/oom.h"
#include "support/randjson.h"
#include "support/transcript.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const int64_t NOW_MS = 1767323045000; /* 2026-01-02T03:04:05Z */

/* The transcript of one record text. */
static int take(struct buf *out, struct str text)
{
    struct cleaner clean;
    struct jsonrecord j;
    struct error err = ERROR_INIT;
    struct reader_options options = {.now_ms = NOW_MS};
    struct reader_sink sink = transcript_sink(out);
    int rc = clean_init(&clean, &options, &sink, &err);
    assert_int_equal(rc, 0);
    jsonrecord_init(&j, &clean);
    rc = jsonrecord_take(&j, text, 1, &err);
    if (rc == 0) {
        transcript_counts(out, &clean.counts);
        clean_check_counts(&clean);
    }
    jsonrecord_deinit(&j);
    jsonrecord_deinit(&j);
    clean_deinit(&clean);
    return rc;
}

static struct str text_of(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

static void expect(const char *text, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(take(&out, str_of(text)), 0);
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
}

/* tests/data/ingest holds the many cases; these are about the record as such. */
static void a_record_is_cleaned_and_given_out(void **state)
{
    (void)state;
    expect(
        "{\"order_id\":\"1\",\"items\":[\"a\",{\"item_id\":\"a\",\"quantity\":2,\"price\":1.5}]}",
        "order 1 id=\"1\" rows=2\n    item=\"a\" quantity=3 price=150\n"
        "orders read=1\nlines read=2 merged=1\n");
    expect("  ", "");
    expect("", "");
}

static void a_rejected_record_counts_by_what_its_fields_tell(void **state)
{
    (void)state;
    expect("{\"order_id\":\"1\",\"items\":[\"a\",\"b\",7]}",
           "problem 1 items[2]: expected an object or a string, got a number\n"
           "orders read=1 rejected=1\nlines read=3 rejected=3\n");
    expect("{\"event\":\"view\",\"x\":1}",
           "problem 1 x: unknown field\nevents read=1 rejected=1\n");
    expect("{\"title\":\"t\",\"x\":1}", "problem 1 x: unknown field\nitems read=1 rejected=1\n");
    expect("{\"x\":1}", "problem 1 x: unknown field\nlines read=1 rejected=1\n");
    expect("{\"kind\":\"cancel\",\"x\":1}",
           "problem 1 x: unknown field\ncancels read=1 rejected=1\n");
}

static void a_skipped_text_is_one_rejected_line(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(take(&out, STR_NONE), 0);
    assert_string_equal(buf_cstr(&out), "problem 1 : longer than 67108864 bytes\n"
                                        "lines read=1 rejected=1\n");
    buf_deinit(&out);
}

static void an_order_of_more_lines_than_the_limit_is_one_problem(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, 0);
    buf_init(&out, 0);
    buf_text(&text, "{\"order_id\":\"1\",\"items\":[\"a\"");
    for (unsigned i = 0; i < LIMIT_ORDER_LINES; i++)
        buf_text(&text, ",\"b\"");
    buf_text(&text, "]}");
    assert_int_equal(take(&out, text_of(&text)), 0);
    assert_string_equal(buf_cstr(&out),
                        "problem 1 items: more than 1000000 lines in one order\n"
                        "orders read=1 rejected=1\nlines read=1000001 rejected=1000001\n");
    buf_deinit(&text);
    buf_deinit(&out);
}

static void a_million_keys_or_brackets_end_at_the_first_that_is_wrong(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, 0);
    buf_init(&out, 0);
    for (int i = 0; i < 1000000; i++)
        buf_text(&text, "{\"items\":[");
    assert_int_equal(take(&out, text_of(&text)), 0);
    assert_string_equal(buf_cstr(&out), "problem 1 items[0].items: unknown field\n"
                                        "orders read=1 rejected=1\nlines read=1 rejected=1\n");
    buf_clear(&text);
    buf_clear(&out);
    buf_text(&text, "{\"item_id\":\"a\",\"attributes\":{\"k\":0");
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, ",\"k%d\":0", i);
    buf_text(&text, "}}");
    assert_int_equal(take(&out, text_of(&text)), 0);
    assert_string_equal(buf_cstr(&out), "problem 1 attributes: more than 256 keys\n"
                                        "items read=1 rejected=1\n");
    buf_deinit(&text);
    buf_deinit(&out);
}

/* jansson reads the record and writes it anew; what we make of both is the same. */
static void random_records_mean_the_same_as_jansson_writes_them(void **state)
{
    (void)state;
    struct rng rng;
    struct buf text, first, second;
    rng_seed(&rng, 21);
    buf_init(&text, 0);
    buf_init(&first, 0);
    buf_init(&second, 0);
    for (int i = 0; i < 20000; i++) {
        buf_clear(&text);
        buf_clear(&first);
        buf_clear(&second);
        randjson_record(&rng, &text);
        json_t *tree = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(tree);
        char *again = json_dumps(tree, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
        assert_int_equal(take(&first, text_of(&text)), 0);
        assert_int_equal(take(&second, str_of(again)), 0);
        assert_string_equal(buf_cstr(&first), buf_cstr(&second));
        assert_null(strstr(first.ptr, "not JSON"));
        free(again);
        json_decref(tree);
    }
    buf_deinit(&text);
    buf_deinit(&first);
    buf_deinit(&second);
}

static void what_jansson_refuses_gives_no_record(void **state)
{
    (void)state;
    struct rng rng;
    struct buf text, out;
    int given = 0, refused = 0;
    rng_seed(&rng, 22);
    buf_init(&text, 0);
    buf_init(&out, 0);
    for (int i = 0; i < 40000; i++) {
        json_error_t why;
        buf_clear(&text);
        buf_clear(&out);
        randjson_record(&rng, &text);
        randjson_mutate(&rng, &text);
        json_t *tree = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
        assert_int_equal(take(&out, text_of(&text)), 0);
        bool problem = strncmp(buf_cstr(&out), "problem", 7) == 0;
        if (!tree && out.len > 0 && !strstr(why.text, "overflow"))
            assert_true(problem);
        refused += !tree;
        given += !problem;
        json_decref(tree);
    }
    assert_in_range(refused, 5000, 39000);
    assert_in_range(given, 1000, 35000);
    buf_deinit(&text);
    buf_deinit(&out);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"order_id\":\"\\n1\",\"items\":[\"a\",{\"item_id\":\"\\u00e9\"}]}",
        "{\"item_id\":\"\\u00e9\",\"category\":\"A > B\",\"attributes\":{\"\\u00e9\":[1,\"x\"]}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        OOM_LOOP
        {
            struct cleaner clean;
            struct jsonrecord j;
            struct error err = ERROR_INIT;
            struct reader_options options = {.now_ms = NOW_MS};
            struct reader_sink sink = {0};
            struct buf ignored;
            buf_init(&ignored, 0);
            sink = transcript_sink(&ignored);
            int rc = clean_init(&clean, &options, &sink, &err);
            assert_int_equal(rc, 0);
            jsonrecord_init(&j, &clean);
            rc = jsonrecord_take(&j, str_of(texts[i]), 1, &err);
            assert_int_equal(rc, oom_fired() && !ignored.failed ? ERR_NOMEM : 0);
            jsonrecord_deinit(&j);
            clean_deinit(&clean);
            buf_deinit(&ignored);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_cleaned_and_given_out),
        cmocka_unit_test(a_rejected_record_counts_by_what_its_fields_tell),
        cmocka_unit_test(a_skipped_text_is_one_rejected_line),
        cmocka_unit_test(an_order_of_more_lines_than_the_limit_is_one_problem),
        cmocka_unit_test(a_million_keys_or_brackets_end_at_the_first_that_is_wrong),
        cmocka_unit_test(random_records_mean_the_same_as_jansson_writes_them),
        cmocka_unit_test(what_jansson_refuses_gives_no_record),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
