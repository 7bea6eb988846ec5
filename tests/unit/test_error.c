/* Errors: the first wins, the text is cut between characters, every code has a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void the_first_error_wins(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(err.code, OK);
    assert_int_equal(error_set(&err, ERR_INVALID, "limit: expected %d, got '%s'", 5, "x"),
                     ERR_INVALID);
    assert_int_equal(error_set(&err, ERR_NOMEM, "later"), ERR_NOMEM);
    assert_int_equal(error_set_errno(&err, ERR_IO, EIO, "later"), ERR_IO);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.text, "limit: expected 5, got 'x'");
    error_clear(&err);
    assert_int_equal(err.code, OK);
    assert_string_equal(err.text, "");
    assert_int_equal(error_set(&err, ERR_NOT_FOUND, "now"), ERR_NOT_FOUND);
    assert_string_equal(err.text, "now");
}

static void nobody_need_listen(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERR_DB, "%s", "text"), ERR_DB);
    assert_int_equal(error_set_errno(NULL, ERR_IO, ENOSPC, "text"), ERR_FULL);
    error_wrap(NULL, "prefix");
    error_clear(NULL);
}

static void errno_says_why_and_a_full_disk_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        enum err code;
        int number;
        enum err want;
    } cases[] = {
        {ERR_IO, ENOSPC, ERR_FULL},  {ERR_IO, EDQUOT, ERR_FULL},
        {ERR_IO, EIO, ERR_IO},       {ERR_DB, ENOSPC, ERR_DB},
        {ERR_IO, ENOMEM, ERR_NOMEM}, {ERR_NOT_FOUND, ENOENT, ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        char want[128];
        snprintf(want, sizeof want, "open /some/file: %s", strerror(cases[i].number));
        assert_int_equal(
            error_set_errno(&err, cases[i].code, cases[i].number, "open %s", "/some/file"),
            cases[i].want);
        assert_int_equal(err.code, cases[i].want);
        assert_string_equal(err.text, want);
    }
}

static void wrapping_adds_before_and_only_to_an_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_wrap(&err, "importing %s", "a.csv");
    assert_string_equal(err.text, "");
    (void)error_set(&err, ERR_CORRUPT, "line 7");
    error_wrap(&err, "importing %s", "a.csv");
    error_wrap(&err, "job %d", 3);
    assert_string_equal(err.text, "job 3: importing a.csv: line 7");
    assert_int_equal(err.code, ERR_CORRUPT);
}

/* Texts of every length around the room, ending in characters of one to four bytes. */
static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    static const char *const ends[] = {"z", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9b\x92"};
    const size_t room = sizeof((struct error *)0)->text;
    for (size_t i = 0; i < 4; i++) {
        for (size_t before = room - 12; before < room + 4; before++) {
            char text[300];
            memset(text, 'x', before);
            memcpy(text + before, ends[i], strlen(ends[i]) + 1);
            struct error set = ERROR_INIT, errnum = ERROR_INIT, wrap = ERROR_INIT;
            (void)error_set(&set, ERR_INVALID, "%s", text);
            (void)error_set_errno(&errnum, ERR_IO, EIO, "%s", text);
            (void)error_set(&wrap, ERR_INVALID, "%s", text + 7);
            error_wrap(&wrap, "12345");
            assert_true(utf8_valid(str_of(set.text)));
            assert_true(utf8_valid(str_of(errnum.text)));
            assert_true(utf8_valid(str_of(wrap.text)));
            size_t whole = before + strlen(ends[i]);
            size_t want = whole < room ? whole : before < room ? before : room - 1;
            assert_int_equal(strlen(set.text), want);
            assert_int_equal(strlen(wrap.text), want);
        }
    }
    struct error stray = ERROR_INIT; /* bytes that are no text at all do not disturb */
    char tails[300];
    memset(tails, '\x80', sizeof tails - 1);
    tails[sizeof tails - 1] = '\0';
    (void)error_set(&stray, ERR_INVALID, "%s", tails);
    assert_int_equal(strlen(stray.text), room - 1);
}

static void every_code_has_its_own_name_and_meaning(void **state)
{
    (void)state;
    assert_string_equal(err_name(OK), "OK");
    assert_string_equal(err_name(ERR_NOMEM), "NOMEM");
    assert_string_equal(err_name(ERR_INTERNAL), "INTERNAL");
    assert_string_equal(err_meaning(ERR_FULL), "no space left on the device");
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(strlen(err_meaning(-1 - i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(err_name(-1 - i), err_name(-1 - j));
    }
    assert_int_equal(ERR_INTERNAL, -ERR_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(errno_says_why_and_a_full_disk_is_told_apart),
        cmocka_unit_test(wrapping_adds_before_and_only_to_an_error),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(every_code_has_its_own_name_and_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
