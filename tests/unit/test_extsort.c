/* The external sort against qsort: in memory, spilled, merged in passes; full disk; no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/extsort.h"
#include "base/mem.h"
#include "base/rng.h"
#include "support/oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    char key[16], value[64];
    size_t value_len;
    uint32_t order;
};

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static struct pair *random_pairs(uint32_t count, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    struct pair *pairs = mem_array(count, sizeof *pairs);
    assert_non_null(pairs);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(pairs[i].key, sizeof pairs[i].key, "%u", rng_below(&rng, count / 2 + 1));
        pairs[i].value_len = rng_below(&rng, 60);
        memset(pairs[i].value, 'a' + (int)(i % 26), sizeof pairs[i].value);
        pairs[i].order = i;
    }
    return pairs;
}

static void sorts_like_qsort(uint32_t count, size_t memory, bool spills)
{
    struct pair *pairs = random_pairs(count, count + memory);
    struct error err = ERROR_INIT;
    struct extsort *s = extsort_new("/tmp", memory, &err);
    assert_non_null(s);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(extsort_add(s, str_of(pairs[i].key),
                                     (struct str){pairs[i].value, pairs[i].value_len}, &err),
                         0);
    assert_int_equal(extsort_sort(s, &err), 0);
    qsort(pairs, count, sizeof *pairs, by_key);
    struct str key, value;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(extsort_next(s, &key, &value, &err), 1);
        assert_true(str_eq(key, str_of(pairs[i].key)));
        assert_true(str_eq(value, (struct str){pairs[i].value, pairs[i].value_len}));
    }
    assert_int_equal(extsort_next(s, &key, &value, &err), 0);
    assert_int_equal(extsort_next(s, &key, &value, &err), 0);
    assert_int_equal(extsort_spilled_bytes(s) > 0, spills);
    extsort_free(s);
    free(pairs);
}

static void order_is_by_key_then_by_adding(void **state)
{
    (void)state;
    sorts_like_qsort(0, 1 << 20, false);
    sorts_like_qsort(1, 1 << 20, false);
    sorts_like_qsort(5000, 1 << 20, false);
    sorts_like_qsort(20000, 64 << 10, true);
    sorts_like_qsort(150000, 64 << 10, true); /* more than 64 runs: merged in passes */
}

static void a_record_over_the_buffer_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct extsort *s = extsort_new("/tmp", 0, &err);
    char *big = mem_zarray(1, 70 << 10);
    assert_non_null(s);
    assert_non_null(big);
    assert_int_equal(extsort_add(s, STR("k"), (struct str){big, 70 << 10}, &err), ERR_TOO_LARGE);
    free(big);
    extsort_free(s);
}

static void a_missing_directory_is_an_io_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct extsort *s = extsort_new("/nonexistent/there", 0, &err);
    assert_non_null(s);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 10000; i++)
        rc = extsort_add(s, STR("key"), STR("some value of some length"), &err);
    assert_int_equal(rc, ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/there"));
    extsort_free(s);
}

static void a_full_device_is_told_apart(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(error_set_errno(&err, ERR_IO, 28, "temporary file"), ERR_FULL);
    assert_int_equal(err.code, ERR_FULL);
}

static void no_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        int rc = 0;
        struct extsort *s = extsort_new("/tmp", 0, &err);
        for (int i = 0; s && rc == 0 && i < 6000; i++)
            rc = extsort_add(s, STR("a key"), STR("some value of some length"), &err);
        if (s && rc == 0)
            rc = extsort_sort(s, &err);
        struct str key, value;
        int count = 0;
        while (s && rc == 0 && (rc = extsort_next(s, &key, &value, &err)) == 1) {
            rc = 0;
            count++;
        }
        if (oom_fired())
            assert_int_equal(err.code, ERR_NOMEM);
        else
            assert_int_equal(count, 6000);
        extsort_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_key_then_by_adding),
        cmocka_unit_test(a_record_over_the_buffer_is_refused),
        cmocka_unit_test(a_missing_directory_is_an_io_error),
        cmocka_unit_test(a_full_device_is_told_apart),
        cmocka_unit_test(no_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
