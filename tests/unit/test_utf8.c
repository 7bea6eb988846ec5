/* UTF-8: every code point, every pair of bytes, and all of it at every distance from a word's
 * start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#include <string.h>

/* The encoding of RFC 3629, section 3, without its exceptions. */
static size_t encode(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(leads[length] | point);
    return length;
}

static void every_code_point_but_surrogates_is_valid(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x120000; point++) {
        char text[4] = {0};
        size_t length = encode(point, text);
        bool want = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (utf8_valid((struct str){text, length}) != want)
            fail_msg("U+%04X", point);
    }
}

static void overlong_and_stray_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe2\x82",
                                      "\xe2(\xa1",
                                      "\xe2\x82(",
                                      "\xf0\x9f\x9b",
                                      "\xf0\x9f(\x92",
                                      "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (utf8_valid(str_of(bad[i])))
            fail_msg("taken: number %zu", i);
}

static void a_bad_byte_is_found_wherever_it_stands(void **state)
{
    (void)state;
    char text[40];
    for (size_t length = 1; length < sizeof text; length++) {
        for (size_t at = 0; at < length; at++) {
            memset(text, 'a', length);
            assert_true(utf8_valid((struct str){text, length}));
            text[at] = (char)0x80;
            assert_false(utf8_valid((struct str){text, length}));
            if (at + 1 < length) {
                memcpy(text + at, "\xc3\xa4", 2);
                assert_true(utf8_valid((struct str){text, length}));
            }
            text[at] = (char)0xc3; /* cut by the end, or followed by an 'a' further on */
            assert_int_equal(utf8_valid((struct str){text, at + 1}), false);
        }
    }
}

static void nothing_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid(STR_NONE));
    assert_true(utf8_valid(STR("")));
    assert_true(utf8_valid(STR("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_valid),
        cmocka_unit_test(overlong_and_stray_bytes_are_refused),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands),
        cmocka_unit_test(nothing_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
