#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "ingest/jsonarr.h"
#include "support/oom.h"
#include "support/splitlog.h"

#include <string.h>

static int split(struct buf *out, size_t max, struct str text, size_t piece, struct error *err)
{
    struct jsonarr a;
    int rc = 0;
    jsonarr_init(&a, max, splitlog_take, out);
    while (rc == 0 && text.len > 0) {
        size_t len = piece < text.len ? piece : text.len;
        rc = jsonarr_push(&a, (struct str){text.ptr, len}, err);
        text = (struct str){text.ptr + len, text.len - len};
    }
    if (rc == 0)
        rc = jsonarr_finish(&a, err);
    jsonarr_deinit(&a);
    jsonarr_deinit(&a);
    return rc;
}

/* error NULL: it succeeds. */
static void expect(size_t max, const char *text, const char *expected, const char *error)
{
    static const size_t pieces[] = {1, 2, 3, 7, 4096};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buf out;
        struct error err = ERROR_INIT;
        buf_init(&out, 0);
        assert_int_equal(split(&out, max, str_of(text), pieces[i], &err), error ? ERR_INVALID : 0);
        assert_string_equal(buf_cstr(&out), expected);
        assert_string_equal(err.text, error ? error : "");
        buf_deinit(&out);
    }
}

static void elements_of_every_type_are_cut_out_whole(void **state)
{
    (void)state;
    expect(100, "[]", "", NULL);
    expect(100, " [ ] ", "", NULL);
    expect(100, "[1]", "1:1|", NULL);
    expect(100, "[1,2 , true\n,\"a\" ,null]\n", "1:1|2:2|3:true|4:\"a\"|5:null|", NULL);
    expect(100, "[{},[],[[1],{\"a\":[2]}] ]", "1:{}|2:[]|3:[[1],{\"a\":[2]}]|", NULL);
}

static void brackets_and_quotes_inside_strings_do_not_count(void **state)
{
    (void)state;
    expect(100, "[\"]\",{\"a\":\"}\\\"}\"},\"\\\\\"]", "1:\"]\"|2:{\"a\":\"}\\\"}\"}|3:\"\\\\\"|",
           NULL);
}

static void a_single_object_is_one_element(void **state)
{
    (void)state;
    expect(100, "{\"a\":[1]}", "1:{\"a\":[1]}|", NULL);
    expect(100, " {} \n", "1:{}|", NULL);
    expect(100, "{} {}", "1:{}|", "json: expected nothing after the object at byte 3, got '{'");
    expect(100, "{\"a\"", "", "json: the object is not closed; it ends after 0 elements");
}

static void what_is_no_array_is_an_error_that_says_where(void **state)
{
    (void)state;
    expect(100, "x", "", "json: expected an array or an object at byte 0, got 'x'");
    expect(100, "\"a\"", "", "json: expected an array or an object at byte 0, got '\"'");
    expect(100, "[1 2]", "1:1|", "json: expected ',' or ']' at byte 3, got '2'");
    expect(100, "[1,]", "1:1|", "json: expected an element at byte 3, got ']'");
    expect(100, "[,1]", "", "json: expected an element at byte 1, got ','");
    expect(100, "[1]]", "1:1|", "json: expected nothing after ']' at byte 3, got ']'");
    expect(100, "[1] \x01", "1:1|", "json: expected nothing after ']' at byte 4, got 0x01");
    expect(100, "[1", "", "json: the array is not closed; it ends after 0 elements");
    expect(100, "[1,", "1:1|", "json: the array is not closed; it ends after 1 elements");
    expect(100, "[", "", "json: the array is not closed; it ends after 0 elements");
}

static void an_element_longer_than_the_maximum_is_skipped_and_reported_once(void **state)
{
    (void)state;
    expect(5, "[\"abc\",\"abcd\",{\"a\":1},12345,123456,1]", "1:\"abc\"|2!|3!|4:12345|5!|6:1|",
           NULL);
    expect(2, "[\"a,]\",{}]", "1!|2:{}|", NULL);
}

/* A random value of depth at most 4, appended to `out`; no blanks at the ends. */
static void random_value(struct rng *rng, struct buf *out, unsigned depth)
{
    static const char *const scalars[] = {"1",     "-2.5e3", "true",      "null",     "\"\"",
                                          "\"x\"", "\"],\"", "\"\\\"{\"", "\"\\\\\"", "\"[ \""};
    unsigned kind = rng_below(rng, depth < 4 ? 4 : 2);
    if (kind < 2) {
        buf_text(out, scalars[rng_below(rng, sizeof scalars / sizeof scalars[0])]);
        return;
    }
    buf_char(out, kind == 2 ? '[' : '{');
    for (unsigned n = rng_below(rng, 4), i = 0; i < n; i++) {
        buf_text(out, i > 0 ? ", " : " ");
        if (kind == 3)
            buf_printf(out, "\"k%u\" :", i);
        random_value(rng, out, depth + 1);
    }
    buf_char(out, kind == 2 ? ']' : '}');
}

static void random_arrays_come_out_element_by_element(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 3);
    for (int round = 0; round < 2000; round++) {
        struct buf text, expected, got;
        buf_init(&text, 0);
        buf_init(&expected, 0);
        buf_init(&got, 0);
        buf_text(&text, " [");
        for (unsigned n = rng_below(&rng, 6), i = 0; i < n; i++) {
            buf_text(&text, i > 0 ? " ,\n" : "");
            size_t from = text.len;
            random_value(&rng, &text, 0);
            buf_printf(&expected, "%u:%.*s|", i + 1, (int)(text.len - from), text.ptr + from);
        }
        buf_text(&text, "] ");
        struct str input = {text.ptr, text.len};
        assert_int_equal(split(&got, 10000, input, 1 + rng_below(&rng, 30), NULL), 0);
        assert_string_equal(buf_cstr(&got), buf_cstr(&expected));
        buf_deinit(&text);
        buf_deinit(&expected);
        buf_deinit(&got);
    }
}

static void a_million_open_brackets_cost_no_stack(void **state)
{
    (void)state;
    struct buf text, got;
    struct error err = ERROR_INIT;
    buf_init(&text, 0);
    buf_init(&got, 0);
    for (int i = 0; i < 1000000; i++)
        buf_char(&text, '[');
    assert_int_equal(split(&got, 1000, (struct str){text.ptr, text.len}, 4096, &err), ERR_INVALID);
    assert_string_equal(buf_cstr(&got), "1!|");
    buf_deinit(&text);
    buf_deinit(&got);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct buf out;
        struct error err = ERROR_INIT;
        buf_init(&out, 0);
        int rc = split(&out, 100000, STR("[\"an element in several pieces\",1]"), 5, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_of_every_type_are_cut_out_whole),
        cmocka_unit_test(brackets_and_quotes_inside_strings_do_not_count),
        cmocka_unit_test(a_single_object_is_one_element),
        cmocka_unit_test(what_is_no_array_is_an_error_that_says_where),
        cmocka_unit_test(an_element_longer_than_the_maximum_is_skipped_and_reported_once),
        cmocka_unit_test(random_arrays_come_out_element_by_element),
        cmocka_unit_test(a_million_open_brackets_cost_no_stack),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
