#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/head.h"

#include <stdio.h>
#include <string.h>

/* Judges "Name: value\n…" (a name may hold anything but ": "); -1 in want skips nothing. */
static int judge(const char *target, const char *fields, const char *version)
{
    struct head h;
    const char *reason = NULL;
    head_init(&h);
    head_target(&h, str_of(target), false);
    struct str rest = str_of(fields);
    while (rest.ptr && rest.len) {
        struct str value = str_cut(&rest, '\n');
        struct str name = str_cut(&value, ':');
        head_field(&h, name, value.ptr ? value : STR(""));
    }
    int status = head_check(&h, str_of(version), true, &reason);
    assert_true((status != 0) == (reason != NULL));
    return status;
}

static void framing_must_be_unambiguous(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *version;
        int status;
    } cases[] = {
        {"Host: a\n", "HTTP/1.1", 0},
        {"host:a\nContent-Length: 3\n", "HTTP/1.1", 0},
        {"Host: a\nTransfer-Encoding: Chunked\n", "HTTP/1.1", 0},
        {"", "HTTP/1.0", 0},
        {"", "HTTP/1.1", 400},
        {"Host: a\nHost: b\n", "HTTP/1.1", 400},
        {"Host: a\nHost: a\n", "HTTP/1.0", 400},
        {"Host: a\nContent-Length: 3\nContent-Length: 3\n", "HTTP/1.1", 400},
        {"Host: a\nContent-Length: 3\nTransfer-Encoding: chunked\n", "HTTP/1.1", 400},
        {"Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n", "HTTP/1.1", 400},
        {"Host: a\nTransfer-Encoding: xchunked\n", "HTTP/1.1", 400},
        {"Host: a\nTransfer-Encoding: identity, chunked\n", "HTTP/1.1", 400},
        {"Transfer-Encoding: chunked\n", "HTTP/1.0", 400},
        {"Host: a\nTransfer-Encoding : chunked\n", "HTTP/1.1", 400},
        {"Host: a\nTransfer-Encodingchunked: x\n", "HTTP/1.1", 400},
        {"Host: a\nContent-Length3: x\n", "HTTP/1.1", 400},
        {"Host: a\nX y: z\n", "HTTP/1.1", 400},
        {"Host: a\n: z\n", "HTTP/1.1", 400},
        {"Host: a\nX\xc3\xa9: z\n", "HTTP/1.1", 400},
        {"Host: a\nX: a\rb\n", "HTTP/1.1", 400},
        {"Host: a\nX: a\x7f\n", "HTTP/1.1", 400},
        {"Host: a\nX: a\tb\n", "HTTP/1.1", 0},
        {"Host: a\n", "HTTP/1.2", 400},
        {"Host: a\nExpect: 100-Continue\n", "HTTP/1.1", 0},
        {"Host: a\nExpect: foo\n", "HTTP/1.1", 417},
        {"Host: a\nAuthorization: x\nAuthorization: y\n", "HTTP/1.1", 400},
        {"Host: a\nOrigin: x\nOrigin: y\n", "HTTP/1.1", 400},
        {"Host: a\nAccept: x\nAccept: y\n", "HTTP/1.1", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = judge("/", cases[i].fields, cases[i].version);
        if (status != cases[i].status)
            fail_msg("case %zu: %d instead of %d", i, status, cases[i].status);
    }
}

static void a_target_is_a_plain_path(void **state)
{
    (void)state;
    static const char *const good[] = {"/", "/a?b=c&d", "/%2e%2e/", "/a%20b", "/%0", "/%"};
    static const char *const bad[] = {"",      "*",         "http://x/y", "/a b",  "/a\x80",
                                      "/a%00", "/a%0d%0aX", "/%0A",       "/\x7f", "/a\tb"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(judge(good[i], "Host: a\n", "HTTP/1.1"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(judge(bad[i], "Host: a\n", "HTTP/1.1"), 400);
}

static void too_much_of_anything_is_refused(void **state)
{
    (void)state;
    struct head h;
    const char *reason;
    char value[HEAD_FIELD_BYTES + 1];
    memset(value, 'v', sizeof value);
    head_init(&h);
    head_target(&h, STR_NONE, true);
    assert_int_equal(head_check(&h, STR("HTTP/1.0"), true, &reason), 414);
    for (int fields = HEAD_FIELDS; fields <= HEAD_FIELDS + 1; fields++) {
        head_init(&h);
        head_target(&h, STR("/"), false);
        for (int i = 0; i < fields; i++)
            head_field(&h, STR("X"), STR("y"));
        assert_int_equal(head_check(&h, STR("HTTP/1.0"), true, &reason),
                         fields > HEAD_FIELDS ? 431 : 0);
    }
    for (size_t bytes = HEAD_FIELD_BYTES; bytes <= HEAD_FIELD_BYTES + 1; bytes++) {
        head_init(&h);
        head_target(&h, STR("/"), false);
        head_field(&h, STR("X"), (struct str){value, bytes - 1});
        assert_int_equal(head_check(&h, STR("HTTP/1.0"), true, &reason),
                         bytes > HEAD_FIELD_BYTES ? 431 : 0);
    }
}

static void a_method_must_be_known(void **state)
{
    (void)state;
    struct head h;
    const char *reason;
    head_init(&h);
    head_target(&h, STR("/"), false);
    assert_int_equal(head_check(&h, STR("HTTP/1.0"), false, &reason), 501);
}

static int length_of(const char *text, uint64_t limit, uint64_t *length, bool *body)
{
    struct head h;
    head_init(&h);
    head_field(&h, STR("Content-Length"), str_of(text));
    *body = head_has_body(&h);
    return head_length(&h, limit, length);
}

static void announced_lengths_are_bounded(void **state)
{
    (void)state;
    uint64_t length;
    bool body;
    struct head h;
    assert_int_equal(length_of("10", 10, &length, &body), 0);
    assert_int_equal(length, 10);
    assert_true(body);
    assert_int_equal(length_of("11", 10, &length, &body), 413);
    assert_int_equal(length_of("0", 10, &length, &body), 0);
    assert_false(body);
    assert_int_equal(length_of("9223372036854775808", 10, &length, &body), 413);
    assert_int_equal(length_of("99999999999999999999999", UINT64_MAX, &length, &body), 413);
    assert_int_equal(length_of("+3", 10, &length, &body), 400);
    assert_int_equal(length_of("0x3", 10, &length, &body), 400);
    assert_int_equal(length_of("", 10, &length, &body), 413);
    head_init(&h);
    assert_false(head_has_body(&h));
    assert_int_equal(head_length(&h, 10, &length), 0);
    assert_int_equal(length, 0);
    head_field(&h, STR("Transfer-Encoding"), STR("chunked"));
    assert_true(head_has_body(&h));
    assert_int_equal(head_length(&h, 10, &length), 0);
    assert_true(length == UINT64_MAX);
}

static void fields_are_found_in_any_case_and_trimmed(void **state)
{
    (void)state;
    struct head h;
    head_init(&h);
    head_field(&h, STR("x-api-KEY"), STR("  k \t"));
    head_field(&h, STR("X-Other"), STR("z"));
    assert_true(str_eq(h.value[HEAD_API_KEY], STR("k")));
    assert_null(h.value[HEAD_AUTHORIZATION].ptr);
    assert_int_equal(h.count[HEAD_API_KEY], 1);
    assert_int_equal(h.fields, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_must_be_unambiguous),
        cmocka_unit_test(a_target_is_a_plain_path),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(a_method_must_be_known),
        cmocka_unit_test(announced_lengths_are_bounded),
        cmocka_unit_test(fields_are_found_in_any_case_and_trimmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
