#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/dict.h"
#include "support/oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void names_get_ascending_indices_and_come_back(void **state)
{
    (void)state;
    struct dict d;
    assert_int_equal(dict_init(&d, NULL), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "sku-%u", i * 7);
        uint32_t index;
        assert_int_equal(dict_add(&d, (struct str){name, (size_t)length}, &index, NULL), 0);
        assert_int_equal(index, i);
    }
    assert_int_equal(d.count, 5000);
    assert_true(str_eq(dict_name(&d, 3), STR("sku-21")));
    assert_true(str_eq(dict_name(&d, 4999), STR("sku-34993")));
    assert_int_equal(dict_find(&d, STR("sku-21")), 3);
    assert_int_equal(dict_find(&d, STR("sku-22")), DICT_NONE);
    dict_deinit(&d);
    dict_deinit(&d);
}

static void a_known_name_keeps_its_index(void **state)
{
    (void)state;
    struct dict d;
    uint32_t first, again, other;
    assert_int_equal(dict_init(&d, NULL), 0);
    assert_int_equal(dict_add(&d, STR("a"), &first, NULL), 0);
    assert_int_equal(dict_add(&d, STR("ab"), &other, NULL), 0);
    assert_int_equal(dict_add(&d, STR("a"), &again, NULL), 0);
    assert_int_equal(first, again);
    assert_int_not_equal(first, other);
    assert_int_equal(d.count, 2);
    dict_deinit(&d);
}

static void an_empty_name_and_a_name_with_a_nul_are_names(void **state)
{
    (void)state;
    struct dict d;
    uint32_t empty, nul;
    assert_int_equal(dict_init(&d, NULL), 0);
    assert_int_equal(dict_add(&d, STR(""), &empty, NULL), 0);
    assert_int_equal(dict_name(&d, empty).len, 0);
    assert_int_equal(dict_add(&d, (struct str){"a\0b", 3}, &nul, NULL), 0);
    assert_int_equal(dict_find(&d, (struct str){"a\0b", 3}), nul);
    assert_int_equal(dict_find(&d, STR("a")), DICT_NONE);
    dict_deinit(&d);
}

static int rebuild(const char *text, uint64_t text_bytes, const uint64_t *offsets, uint32_t count,
                   struct dict *d)
{
    char *text_copy = mem_copy(text, text_bytes);
    uint64_t *offsets_copy = mem_copy(offsets, ((size_t)count + 1) * sizeof *offsets);
    assert_non_null(text_copy);
    assert_non_null(offsets_copy);
    return dict_from_arrays(d, text_copy, text_bytes, offsets_copy, count, NULL);
}

static void a_dictionary_is_rebuilt_from_its_arrays(void **state)
{
    (void)state;
    struct dict d;
    uint32_t index;
    assert_int_equal(rebuild("abcd", 4, (uint64_t[]){0, 1, 1, 4}, 3, &d), 0);
    assert_int_equal(dict_find(&d, STR("a")), 0);
    assert_int_equal(dict_find(&d, STR("")), 1);
    assert_int_equal(dict_find(&d, STR("bcd")), 2);
    assert_int_equal(dict_add(&d, STR("new"), &index, NULL), 0);
    assert_int_equal(index, 3);
    assert_true(str_eq(dict_name(&d, 3), STR("new")));
    dict_deinit(&d);
    assert_int_equal(rebuild("", 0, (uint64_t[]){0}, 0, &d), 0);
    assert_int_equal(d.count, 0);
    dict_deinit(&d);
}

static void damaged_arrays_are_refused(void **state)
{
    (void)state;
    struct dict d;
    assert_int_equal(rebuild("abcd", 4, (uint64_t[]){0, 3, 2, 4}, 3, &d), ERR_CORRUPT);
    assert_int_equal(rebuild("abcd", 4, (uint64_t[]){0, 1, 3}, 2, &d), ERR_CORRUPT);
    assert_int_equal(rebuild("abcd", 4, (uint64_t[]){1, 2, 4}, 2, &d), ERR_CORRUPT);
    assert_int_equal(rebuild("abcd", 4, (uint64_t[]){0, 1, 9, 4}, 3, &d), ERR_CORRUPT);
    assert_int_equal(rebuild("abab", 4, (uint64_t[]){0, 2, 4}, 2, &d), ERR_CORRUPT);
    assert_null(d.offsets);
}

static int add_many(struct dict *d, struct error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < 300 && rc == 0; i++) {
        uint32_t index;
        rc = dict_add(d, (struct str){(const char *)&i, sizeof i}, &index, err);
    }
    return rc;
}

static void every_failed_allocation_is_reported_and_harmless(void **state)
{
    (void)state;
    int rc = ERR_NOMEM;
    for (unsigned n = 1; rc; n++) {
        struct dict d;
        struct error err = ERROR_INIT;
        oom_fail_at(n);
        rc = dict_init(&d, &err);
        if (rc == 0)
            rc = add_many(&d, &err);
        oom_disarm();
        assert_true(rc == 0 || (rc == ERR_NOMEM && err.code == ERR_NOMEM));
        assert_true(n < 200);
        if (rc && d.offsets) { /* usable after the failure: nothing was half added */
            assert_int_equal(add_many(&d, NULL), 0);
            assert_int_equal(d.count, 300);
        }
        dict_deinit(&d);
    }
}

static void a_failed_rebuild_frees_what_it_took(void **state)
{
    (void)state;
    int rc = ERR_NOMEM;
    for (unsigned n = 1; rc; n++) {
        char *text = mem_copy("abc", 3);
        uint64_t *offsets = mem_copy((uint64_t[]){0, 1, 3}, 3 * sizeof *offsets);
        struct dict d;
        oom_fail_at(n);
        rc = dict_from_arrays(&d, text, 3, offsets, 2, NULL);
        oom_disarm();
        assert_true(rc == 0 || rc == ERR_NOMEM);
        dict_deinit(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_ascending_indices_and_come_back),
        cmocka_unit_test(a_known_name_keeps_its_index),
        cmocka_unit_test(an_empty_name_and_a_name_with_a_nul_are_names),
        cmocka_unit_test(a_dictionary_is_rebuilt_from_its_arrays),
        cmocka_unit_test(damaged_arrays_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported_and_harmless),
        cmocka_unit_test(a_failed_rebuild_frees_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
