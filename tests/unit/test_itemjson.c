#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "ingest/itemjson.h"

#include <stdio.h>
#include <string.h>

/* `text` gives the compact `expected`; or is refused for `reason`. */
static void check(bool (*scan)(struct jscan *, struct buf *), const char *text,
                  const char *expected, const char *reason)
{
    struct arena arena;
    struct jscan s;
    struct buf out;
    arena_init(&arena);
    buf_init(&out, 0);
    jscan_init(&s, str_of(text), &arena);
    bool good = scan(&s, &out) && jscan_end(&s);
    assert_string_equal(s.reason, reason ? reason : "");
    assert_int_equal(good, !reason);
    if (good)
        assert_string_equal(buf_cstr(&out), expected);
    arena_deinit(&arena);
    buf_deinit(&out);
}

static void attributes_are_written_compactly(void **state)
{
    (void)state;
    check(attributes_scan, "{}", "", NULL);
    check(attributes_scan, " { } ", "", NULL);
    check(attributes_scan, "{\"a\" : [ 1 , \"x\\u00e9\\n\" , null, true ] ,\"b\":-1.50e2}",
          "{\"a\":[1,\"x\xc3\xa9\\n\",null,true],\"b\":-1.50e2}", NULL);
    check(attributes_scan, "{\"a\":[]}", "{\"a\":[]}", NULL);
}

static void attributes_of_other_shapes_are_refused(void **state)
{
    (void)state;
    check(attributes_scan, "{\"a\":{}}", NULL,
          "'a': expected a scalar or an array of scalars, got an object");
    check(attributes_scan, "{\"a\":[1,[2]]}", NULL,
          "'a': expected a scalar or an array of scalars, got an array");
    check(attributes_scan, "{\"a\":}", NULL,
          "'a': expected a scalar or an array of scalars, got no value");
    check(attributes_scan, "{\"a\":1,\"\\u0061\":2}", NULL, "'a' is given twice");
    check(attributes_scan, "{\"\":1}", NULL, "'': a key has 1 to 256 bytes");
    check(attributes_scan, "{\"a\":1", NULL, "not JSON: ends where ',' or '}' should be");
    check(attributes_scan, "{\"a\":[1 2]}", NULL,
          "not JSON: expected ',' or ']' at byte 8, got '2'");
}

static void an_attribute_key_has_at_most_256_bytes(void **state)
{
    (void)state;
    char key[LIMIT_ID_BYTES + 2] = {0}, json[400], reason[100];
    for (int over = 0; over < 2; over++) {
        memset(key, 'x', LIMIT_ID_BYTES + (size_t)over);
        snprintf(json, sizeof json, "{\"%s\":1}", key);
        snprintf(reason, sizeof reason, "'%.40s\xe2\x80\xa6': a key has 1 to 256 bytes", key);
        check(attributes_scan, json, json, over ? reason : NULL);
    }
}

static void attributes_have_limits(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 0);
    for (int over = 0; over < 2; over++) {
        buf_clear(&text);
        buf_text(&text, "{\"0\":0");
        for (int i = 1; i < LIMIT_ATTRIBUTES + over; i++)
            buf_printf(&text, ",\"%d\":0", i);
        buf_char(&text, '}');
        const char *json = buf_cstr(&text);
        check(attributes_scan, json, json, over ? "more than 256 keys" : NULL);
        buf_clear(&text);
        buf_text(&text, "{\"a\":\"");
        while (text.len < LIMIT_ATTRIBUTES_BYTES + (unsigned)over - 2)
            buf_char(&text, 'x');
        buf_text(&text, "\"}");
        json = buf_cstr(&text);
        check(attributes_scan, json, json, over ? "longer than 16384 bytes as JSON" : NULL);
    }
    buf_clear(&text);
    buf_text(&text, "{\"a\":[0");
    for (int i = 0; i < 1000000; i++)
        buf_text(&text, ",0");
    buf_text(&text, "]}");
    check(attributes_scan, buf_cstr(&text), NULL, "longer than 16384 bytes as JSON");
    buf_deinit(&text);
}

static void category_arrays_are_checked_name_by_name(void **state)
{
    (void)state;
    struct buf text;
    check(category_scan, "[]", "", NULL);
    check(category_scan, "[ \"A\" , \"B > C\" ]", "[\"A\",\"B > C\"]", NULL);
    check(category_scan, "[\"\"]", NULL, "has an empty name");
    check(category_scan, "[\"A\",1]", NULL, "expected an array of strings, got a number in it");
    check(category_scan, "[\"A\"", NULL, "not JSON: ends where ',' or ']' should be");
    buf_init(&text, 0);
    for (int depth = LIMIT_CATEGORY_DEPTH; depth <= LIMIT_CATEGORY_DEPTH + 1; depth++) {
        buf_clear(&text);
        for (int i = 0; i < depth; i++)
            buf_text(&text, i > 0 ? ",\"A\"" : "[\"A\"");
        buf_char(&text, ']');
        const char *json = buf_cstr(&text);
        check(category_scan, json, json,
              depth > LIMIT_CATEGORY_DEPTH ? "has more than 16 levels" : NULL);
    }
    for (int over = 0; over < 2; over++) {
        buf_clear(&text);
        buf_text(&text, "[\"");
        for (int i = 0; i < LIMIT_CATEGORY_BYTES + over; i++)
            buf_char(&text, 'x');
        buf_text(&text, "\"]");
        const char *json = buf_cstr(&text);
        check(category_scan, json, json, over ? "has a name longer than 256 bytes" : NULL);
    }
    buf_deinit(&text);
}

static void category_paths_become_arrays(void **state)
{
    (void)state;
    static const struct {
        const char *path, *expected, *reason;
    } cases[] = {
        {"A", "[\"A\"]", NULL},
        {" A >B> C \"d\" ", "[\"A\",\"B\",\"C \\\"d\\\"\"]", NULL},
        {"", NULL, "has an empty name"},
        {"A > ", NULL, "has an empty name"},
        {">A", NULL, "has an empty name"},
        {"A>B>C>D>E>F>G>H>I>J>K>L>M>N>O>P>Q", NULL, "has more than 16 levels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 0);
        const char *why = category_from_path(str_of(cases[i].path), &out);
        if (cases[i].reason)
            assert_string_equal(why, cases[i].reason);
        else
            assert_string_equal(buf_cstr(&out), cases[i].expected);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_are_written_compactly),
        cmocka_unit_test(attributes_of_other_shapes_are_refused),
        cmocka_unit_test(an_attribute_key_has_at_most_256_bytes),
        cmocka_unit_test(attributes_have_limits),
        cmocka_unit_test(category_arrays_are_checked_name_by_name),
        cmocka_unit_test(category_paths_become_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
