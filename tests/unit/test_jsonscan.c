#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/jsonscan.h"
#include "support/oom.h"
#include "support/randjson.h"

#include <jansson.h>
#include <string.h>

/* Walks any value with the scanner's calls; every string (keys too) is appended to `strings`. The
 * recursion is the test's own and bounded by `depth`. */
static bool walk(struct jscan *s, struct buf *strings, unsigned depth)
{
    struct str text;
    bool flag, good = true;
    switch (jscan_peek(s)) {
    case JSCAN_STRING:
        if (!jscan_string(s, &text))
            return false;
        buf_str(strings, text);
        buf_char(strings, '|');
        return true;
    case JSCAN_NUMBER:
        return jscan_number(s, &text);
    case JSCAN_BOOL:
        return jscan_bool(s, &flag);
    case JSCAN_NULL:
        return jscan_null(s);
    case JSCAN_ARRAY:
        if (depth == 0 || !jscan_open(s, '['))
            return false;
        for (bool first = true; good && jscan_more(s, ']', first); first = false)
            good = walk(s, strings, depth - 1);
        return good && !s->reason[0];
    case JSCAN_OBJECT:
        if (depth == 0 || !jscan_open(s, '{'))
            return false;
        for (bool first = true; good && jscan_more(s, '}', first); first = false) {
            good = jscan_key(s, &text);
            buf_str(strings, good ? text : STR_NONE);
            buf_char(strings, '|');
            good = good && walk(s, strings, depth - 1);
        }
        return good && !s->reason[0];
    case JSCAN_BAD:
        break;
    }
    return jscan_fail(s, "no value");
}

static void jansson_strings(json_t *value, struct buf *strings)
{
    if (json_is_string(value)) {
        buf_add(strings, json_string_value(value), json_string_length(value));
        buf_char(strings, '|');
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        jansson_strings(json_array_get(value, i), strings);
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at)) {
        buf_text(strings, json_object_iter_key(at));
        buf_char(strings, '|');
        jansson_strings(json_object_iter_value(at), strings);
    }
}

/* What both say of a text; returns 1 when both take it. */
static int compare(struct str text)
{
    struct arena arena;
    struct jscan s;
    struct buf ours, theirs;
    json_error_t why;
    arena_init(&arena);
    buf_init(&ours, 0);
    buf_init(&theirs, 0);
    jscan_init(&s, text, &arena);
    bool good = utf8_valid(text) && walk(&s, &ours, 100) && jscan_end(&s);
    json_t *tree =
        json_loadb(text.ptr, text.len,
                   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    bool known = tree || (!strstr(why.text, "overflow") && !strstr(why.text, "duplicate"));
    if (known && good != (tree != NULL))
        fail_msg("'%.*s': we say %s, jansson %s", STR_ARG(text), good ? "yes" : s.reason,
                 tree ? "yes" : why.text);
    if (known && good) {
        jansson_strings(tree, &theirs);
        assert_true(str_eq((struct str){ours.ptr, ours.len}, (struct str){theirs.ptr, theirs.len}));
    }
    json_decref(tree);
    arena_deinit(&arena);
    buf_deinit(&ours);
    buf_deinit(&theirs);
    return good;
}

static void random_values_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    struct rng rng;
    struct buf text;
    rng_seed(&rng, 11);
    buf_init(&text, 0);
    for (int i = 0; i < 20000; i++) {
        buf_clear(&text);
        randjson_value(&rng, &text, 0);
        assert_int_equal(compare((struct str){text.ptr, text.len}), 1);
    }
    buf_deinit(&text);
}

static void mutated_values_are_judged_as_jansson_judges_them(void **state)
{
    (void)state;
    struct rng rng;
    struct buf text;
    int good = 0;
    rng_seed(&rng, 12);
    buf_init(&text, 0);
    for (int i = 0; i < 60000; i++) {
        buf_clear(&text);
        randjson_value(&rng, &text, 0);
        randjson_mutate(&rng, &text);
        good += compare((struct str){text.ptr, text.len});
    }
    assert_in_range(good, 3000, 57000); /* both outcomes are met */
    buf_deinit(&text);
}

/* The one string in `json` decodes to `expected`; NULL: it is refused because of `reason`. */
static void string_gives(const char *json, const char *expected, const char *reason)
{
    struct arena arena;
    struct jscan s;
    struct str out = STR_NONE;
    arena_init(&arena);
    jscan_init(&s, str_of(json), &arena);
    bool good = jscan_string(&s, &out) && jscan_end(&s);
    assert_int_equal(good, expected != NULL);
    if (expected)
        assert_true(str_eq(out, str_of(expected)));
    else
        assert_string_equal(s.reason, reason);
    arena_deinit(&arena);
}

static void escapes_decode_to_utf8(void **state)
{
    (void)state;
    string_gives("\"\"", "", NULL);
    string_gives(" \"plain\" ", "plain", NULL);
    string_gives("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", NULL);
    string_gives("\"\\u0001\\u007f\\u0080\\u07ff\\u0800\\uFFFF\"",
                 "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", NULL);
    string_gives("\"a\\uD834\\uDd1Eb\"",
                 "a\xf0\x9d\x84\x9e"
                 "b",
                 NULL);
    string_gives("\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", NULL);
}

static void broken_strings_are_refused_with_the_reason(void **state)
{
    (void)state;
    string_gives("x", NULL, "not JSON: expected a string at byte 0, got 'x'");
    string_gives("", NULL, "not JSON: ends where a string should be");
    string_gives("\"a", NULL, "not JSON: a string is not closed");
    string_gives("\"a\\", NULL, "not JSON: a string is not closed");
    string_gives("\"a\\\"", NULL, "not JSON: a string is not closed");
    string_gives("\"\\x\"", NULL, "not JSON: expected an escape at byte 2, got 'x'");
    string_gives("\"\\u12\"", NULL, "not JSON: \\u needs four hex digits");
    string_gives("\"\\u12g4\"", NULL, "not JSON: \\u needs four hex digits");
    string_gives("\"\\u0000\"", NULL, "a string holds \\u0000");
    string_gives("\"\\ud800\"", NULL, "a string holds half of a surrogate pair");
    string_gives("\"\\ud800x\"", NULL, "a string holds half of a surrogate pair");
    string_gives("\"\\ud800\\u0041\"", NULL, "a string holds half of a surrogate pair");
    string_gives("\"\\udc00\"", NULL, "a string holds half of a surrogate pair");
    string_gives("\"a\nb\"", NULL, "not JSON: expected no control character at byte 2, got 0x0a");
    string_gives("\"\\n\x01\"", NULL,
                 "not JSON: expected no control character at byte 3, got 0x01");
    string_gives("\"a\" b", NULL, "not JSON: expected nothing after the value at byte 4, got 'b'");
}

static void number_is(const char *json, bool good)
{
    struct jscan s;
    struct str out = STR_NONE;
    jscan_init(&s, str_of(json), NULL);
    assert_int_equal(jscan_number(&s, &out) && jscan_end(&s), good);
    if (good)
        assert_true(str_eq(out, str_of(json)));
}

static void numbers_are_strict(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-0", "10", "-1.5", "0.0", "1e5", "1E+5", "1.25e-05"};
    static const char *const bad[] = {"",   "-",   "+1",  "01",  "-01",      ".5",  "1.", "1.e1",
                                      "1e", "1e+", "0x1", "NaN", "Infinity", "--1", "1 2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        number_is(good[i], true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        number_is(bad[i], false);
}

static void running_out_of_memory_is_told_apart(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct arena arena;
        struct jscan s;
        struct str out;
        arena_init(&arena);
        jscan_init(&s, STR("\"\\n\""), &arena);
        bool good = jscan_string(&s, &out);
        assert_int_equal(good, !oom_fired());
        assert_int_equal(s.no_memory, oom_fired());
        arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values_are_read_as_jansson_reads_them),
        cmocka_unit_test(mutated_values_are_judged_as_jansson_judges_them),
        cmocka_unit_test(escapes_decode_to_utf8),
        cmocka_unit_test(broken_strings_are_refused_with_the_reason),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(running_out_of_memory_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
