#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/lines.h"
#include "support/oom.h"

#include <stdlib.h>
#include <string.h>

static struct buf text;

static struct str format(const struct order_line *lines, uint32_t count)
{
    buf_clear(&text);
    lines_format(&text, lines, count);
    assert_false(text.failed);
    return (struct str){text.ptr, text.len};
}

static void lines_are_compact_json(void **state)
{
    (void)state;
    const struct order_line lines[] = {
        {1, 2, 350}, {70, -1, ORDER_NO_PRICE}, {4294967294u, INT64_MAX, INT64_MIN + 1}};
    assert_true(str_eq(
        format(lines, 3),
        STR("[[1,2,350],[70,-1,null],[4294967294,9223372036854775807,-9223372036854775807]]")));
    assert_true(str_eq(format(lines, 0), STR("[]")));
    assert_true(str_eq(format(lines, 1), STR("[[1,2,350]]")));
    buf_deinit(&text);
}

static int64_t random_number(struct rng *rng)
{
    return (int64_t)(rng_u64(rng) >> rng_below(rng, 64)) * (rng_below(rng, 4) ? 1 : -1);
}

static void random_lines_come_back(void **state)
{
    (void)state;
    struct rng rng;
    struct line_vec back = {0};
    rng_seed(&rng, 5);
    for (int round = 0; round < 2000; round++) {
        struct order_line lines[20];
        uint32_t count = rng_below(&rng, 21);
        for (uint32_t i = 0; i < count; i++)
            lines[i] = (struct order_line){
                1 + (rng_below(&rng, UINT32_MAX - 1) >> rng_below(&rng, 32)), random_number(&rng),
                rng_below(&rng, 5) ? random_number(&rng) : ORDER_NO_PRICE};
        struct str stored = format(lines, count);
        assert_int_equal(lines_parse(stored, &back), 0);
        assert_int_equal(back.count, count);
        assert_int_equal(lines_count(stored), count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(back.at[i].item, lines[i].item);
            assert_true(back.at[i].quantity == lines[i].quantity);
            assert_true(back.at[i].price_minor == lines[i].price_minor);
        }
    }
    free(back.at);
    buf_deinit(&text);
}

static void any_other_text_is_damage(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "[",
                         "]",
                         "[]]",
                         "[] ",
                         "[[1,1,1]",
                         "[[1,1,1],]",
                         "[,[1,1,1]]",
                         "[[1,1,1]][1,1,1]]",
                         "[[1,1]]",
                         "[[1,1,1,1]]",
                         "[[0,1,1]]",
                         "[[-1,1,1]]",
                         "[[4294967295,1,1]]",
                         "[[99999999999999999999,1,1]]",
                         "[[1,9223372036854775808,1]]",
                         "[[1,1,9223372036854775808]]",
                         "[[1,1,-9223372036854775809]]",
                         "[[1,1,nul]]",
                         "[[1,1,nullx]]",
                         "[[1,null,1]]",
                         "[[1,,1]]",
                         "[[1,-,1]]",
                         "[[1, 1,1]]",
                         "[[1,1,1] ,[2,1,1]]",
                         "[[1.0,1,1]]",
                         "{}",
                         "null"};
    struct line_vec v = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(lines_parse(str_of(bad[i]), &v), ERR_CORRUPT);
    assert_int_equal(lines_parse(STR_NONE, &v), ERR_CORRUPT);
    assert_int_equal(lines_count(STR_NONE), 0);
    free(v.at);
}

/* Every cut and every changed byte, in a block of its own size: no byte beyond it is read. */
static void cut_or_changed_text_never_reads_past_the_end(void **state)
{
    (void)state;
    const struct str good = STR("[[12,2,350],[70,1,null]]");
    struct line_vec v = {0};
    for (size_t length = 1; length < good.len; length++) {
        char *copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, good.ptr, length);
        assert_int_equal(lines_parse((struct str){copy, length}, &v), ERR_CORRUPT);
        for (size_t at = 0; at < length; at++) {
            char kept = copy[at];
            copy[at] = '[';
            assert_int_equal(lines_parse((struct str){copy, length}, &v), ERR_CORRUPT);
            copy[at] = kept;
        }
        free(copy);
    }
    free(v.at);
}

static void failed_allocations_are_reported(void **state)
{
    (void)state;
    struct line_vec v = {0};
    struct order_line line = {1, 1, 1};
    oom_fail_at(1);
    int rc = lines_parse(STR("[[1,1,1]]"), &v);
    oom_disarm();
    assert_int_equal(rc, ERR_NOMEM);
    oom_fail_at(1);
    lines_format(&text, &line, 1);
    oom_disarm();
    assert_true(text.failed);
    free(v.at);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_compact_json),
        cmocka_unit_test(random_lines_come_back),
        cmocka_unit_test(any_other_text_is_damage),
        cmocka_unit_test(cut_or_changed_text_never_reads_past_the_end),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
