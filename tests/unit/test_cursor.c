#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/cursor.h"

#include <string.h>

static struct params params_of(struct param *at, uint32_t count)
{
    return (struct params){at, count};
}

static void a_cursor_leads_back_to_its_position(void **state)
{
    (void)state;
    struct cursor_word word = {.version = 17, .question = UINT64_MAX, .position = 12345};
    struct cursor_word back = {.version = 17, .question = UINT64_MAX};
    struct error err = ERROR_INIT;
    struct buf out;
    buf_init(&out, 0);
    cursor_write(&word, &out);
    assert_int_equal(out.len, 34);
    struct str text = {out.ptr + 1, out.len - 2};
    for (size_t i = 0; i < text.len; i++) /* stands in a URL as it is */
        assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                               text.ptr[i]));
    assert_int_equal(cursor_read(text, &back, &err), 0);
    assert_int_equal(back.position, 12345);
    buf_deinit(&out);
}

static void cursors_of_others_are_told_apart(void **state)
{
    (void)state;
    struct cursor_word word = {.version = 17, .question = 5, .position = 1};
    struct cursor_word stale = {.version = 18, .question = 5},
                       other = {.version = 17, .question = 6};
    struct error err = ERROR_INIT;
    struct buf out;
    buf_init(&out, 0);
    cursor_write(&word, &out);
    struct str text = {out.ptr + 1, out.len - 2};
    assert_int_equal(cursor_read(text, &stale, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "model 17"));
    assert_int_equal(cursor_read(text, &other, NULL), ERR_INVALID);
    static const char *const broken[] = {"",
                                         "A",
                                         "AAAA",
                                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                         "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_int_equal(cursor_read(str_of(broken[i]), &other, NULL), ERR_INVALID);
    buf_deinit(&out);
}

static void a_question_is_its_parameters_in_any_order(void **state)
{
    (void)state;
    struct param a[] = {{.name = STR("x"), .value = STR("1")},
                        {.name = STR("y"), .value = STR("2")}};
    struct param b[] = {{.name = STR("limit"), .value = STR("9")},
                        {.name = STR("y"), .value = STR("2")},
                        {.name = STR("cursor"), .value = STR("zzz")},
                        {.name = STR("x"), .value = STR("1")}};
    struct param c[] = {{.name = STR("x"), .value = STR("2")},
                        {.name = STR("y"), .value = STR("1")}};
    struct params pa = params_of(a, 2), pb = params_of(b, 4), pc = params_of(c, 2);
    assert_true(cursor_question(&pa) == cursor_question(&pb));
    assert_true(cursor_question(&pa) != cursor_question(&pc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_leads_back_to_its_position),
        cmocka_unit_test(cursors_of_others_are_told_apart),
        cmocka_unit_test(a_question_is_its_parameters_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
