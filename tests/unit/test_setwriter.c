#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"
#include "service/setwriter.h"
#include "support/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct baskets parse(const char *text)
{
    struct baskets b;
    assert_int_equal(baskets_parse(str_of(text), 1, &b, NULL), 0);
    return b;
}

struct output {
    int fd;
    struct laneout *out;
    struct setwriter *writer;
};

static struct output open_output(const struct baskets *b, enum text_format format)
{
    struct output o = {.fd = memfd_create("sets", 0)};
    o.out = laneout_new(o.fd);
    const struct setwriter_options options = {.items = b, .basket_count = 1000, .format = format};
    o.writer = setwriter_new(o.out, &options, NULL);
    assert_non_null(o.writer);
    return o;
}

static struct buf close_output(struct output *o)
{
    struct buf text;
    char block[4096];
    ssize_t got;
    buf_init(&text, 0);
    setwriter_free(o->writer);
    assert_int_equal(laneout_finish(o->out, NULL), 0);
    laneout_free(o->out);
    assert_int_equal(lseek(o->fd, 0, SEEK_SET), 0);
    while ((got = read(o->fd, block, sizeof block)) > 0)
        buf_add(&text, block, (size_t)got);
    close(o->fd);
    return text;
}

static void assert_writes(const struct baskets *b, enum text_format format,
                          const struct itemset_group *groups, size_t count, const char *expected)
{
    struct output o = open_output(b, format);
    struct itemset_visitor v = setwriter_visitor(o.writer);
    void *lane = v.lane_open(v.context, NULL);
    for (size_t g = 0; g < count; g++)
        assert_int_equal(v.found(v.context, lane, &groups[g]), 0);
    assert_int_equal(v.lane_close(v.context, lane), 0);
    struct buf text = close_output(&o);
    assert_string_equal(text.len ? buf_cstr(&text) : "", expected);
    buf_deinit(&text);
}

static const uint32_t items[] = {0, 1, 2}, extra[] = {3, 4, 2};

static void formats_show_items_count_and_share(void **state)
{
    struct baskets b = parse("a b \xc3\xa4 say\"so\" e\n");
    const struct itemset_group group = {
        .items = items, .length = 2, .support = 12, .extra = extra, .extra_count = 0};
    const struct itemset_group next = {
        .items = extra, .length = 2, .support = 1000, .extra_count = 0};
    const struct itemset_group both[] = {group, next};
    (void)state;
    assert_writes(&b, TEXT_FIMI, both, 2, "a b (12)\nsay\"so\" \xc3\xa4 (1000)\n");
    assert_writes(&b, TEXT_TSV, both, 2,
                  "items\tcount\tsupport\na,b\t12\t0.012\nsay\"so\",\xc3\xa4\t1000\t1\n");
    assert_writes(&b, TEXT_NDJSON, both, 2,
                  "{\"items\":[\"a\",\"b\"],\"count\":12,\"support\":0.012}\n"
                  "{\"items\":[\"say\\\"so\\\"\",\"\xc3\xa4\"],\"count\":1000,\"support\":1}\n");
    baskets_deinit(&b);
}

static void groups_are_written_as_every_choice_of_extras(void **state)
{
    struct baskets b = parse("0 1 2 3 4\n");
    struct itemset_group g = {.items = items,
                              .length = 1,
                              .support = 5,
                              .extra = extra,
                              .extra_count = 3,
                              .max_choice = UINT32_MAX};
    (void)state;
    assert_writes(&b, TEXT_FIMI, &g, 1,
                  "0 (5)\n0 3 (5)\n0 3 4 (5)\n0 3 4 2 (5)\n0 3 2 (5)\n0 4 (5)\n0 4 2 (5)\n"
                  "0 2 (5)\n");
    g.max_choice = 1;
    assert_writes(&b, TEXT_FIMI, &g, 1, "0 (5)\n0 3 (5)\n0 4 (5)\n0 2 (5)\n");
    g.max_choice = 2;
    g.min_choice = 2;
    assert_writes(&b, TEXT_FIMI, &g, 1, "0 3 4 (5)\n0 3 2 (5)\n0 4 2 (5)\n");
    g.min_choice = 3;
    g.max_choice = 3;
    assert_writes(&b, TEXT_FIMI, &g, 1, "0 3 4 2 (5)\n");
    g.length = 0;
    g.min_choice = 1;
    g.max_choice = 1;
    assert_writes(&b, TEXT_FIMI, &g, 1, "3 (5)\n4 (5)\n2 (5)\n");
    baskets_deinit(&b);
}

static void shared_items_are_those_of_the_group_before(void **state)
{
    struct baskets b = parse("0 1 2 3 4\n");
    const uint32_t other[] = {9, 9, 4}; /* the first two are not looked at */
    const struct itemset_group groups[] = {{.items = items, .length = 3, .support = 5},
                                           {.items = other, .length = 3, .support = 6, .same = 2},
                                           {.items = other, .length = 2, .support = 7, .same = 2},
                                           {.items = items, .length = 1, .support = 8, .same = 0}};
    (void)state;
    assert_writes(&b, TEXT_FIMI, groups, 4, "0 1 2 (5)\n0 1 4 (6)\n0 1 (7)\n0 (8)\n");
    baskets_deinit(&b);
}

static void sorted_sets_are_in_the_order_of_their_columns(void **state)
{
    struct baskets b = parse("a b c d e\n");
    const uint32_t column[] = {4, 3, 2, 1, 0};
    const uint32_t found[] = {3, 1}, more[] = {0, 4};
    struct itemset_group g = {.items = found,
                              .length = 2,
                              .support = 5,
                              .extra = more,
                              .extra_count = 2,
                              .max_choice = 2};
    struct buf text;
    (void)state;
    for (int named = 0; named < 2; named++) {
        const struct setwriter_options options = {.items = &b,
                                                  .column = named ? column : NULL,
                                                  .basket_count = 10,
                                                  .format = TEXT_FIMI,
                                                  .sorted = true};
        struct output o = {.fd = memfd_create("sets", 0)};
        o.out = laneout_new(o.fd);
        o.writer = setwriter_new(o.out, &options, NULL);
        struct itemset_visitor v = setwriter_visitor(o.writer);
        void *lane = v.lane_open(v.context, NULL);
        assert_int_equal(v.found(v.context, lane, &g), 0);
        g.same = 1;
        assert_int_equal(v.found(v.context, lane, &g), 0);
        g.same = 0;
        assert_int_equal(v.lane_close(v.context, lane), 0);
        text = close_output(&o);
        assert_string_equal(buf_cstr(&text), named
                                                 ? "b d (5)\nb d e (5)\na b d e (5)\na b d (5)\n"
                                                   "b d (5)\nb d e (5)\na b d e (5)\na b d (5)\n"
                                                 : "b d (5)\na b d (5)\na b d e (5)\nb d e (5)\n"
                                                   "b d (5)\na b d (5)\na b d e (5)\nb d e (5)\n");
        buf_deinit(&text);
    }
    baskets_deinit(&b);
}

/* Names of all lengths around the size of a piece, sets of many items. */
static void long_names_and_long_sets_are_whole(void **state)
{
    struct buf text, expected;
    uint32_t all[200];
    (void)state;
    buf_init(&text, 0);
    buf_init(&expected, 0);
    for (uint32_t n = 0; n < 200; n++) {
        buf_printf(&text, "%s%03u", n ? " " : "", n);
        for (uint32_t i = 0; i < n; i++)
            buf_char(&text, (char)('a' + i % 26));
        all[n] = n;
    }
    struct baskets b = parse(buf_cstr(&text));
    struct itemset_group g = {.items = all, .length = 200, .support = 3};
    buf_printf(&expected, "%s (3)\n", buf_cstr(&text));
    assert_writes(&b, TEXT_FIMI, &g, 1, buf_cstr(&expected));
    buf_deinit(&text);
    buf_deinit(&expected);
    baskets_deinit(&b);
}

static void a_name_with_the_separator_is_refused(void **state)
{
    struct baskets_builder builder;
    struct baskets b;
    struct error err = ERROR_INIT;
    struct laneout *out = laneout_new(1);
    (void)state;
    assert_int_equal(baskets_builder_init(&builder, NULL), 0);
    assert_int_equal(baskets_builder_item(&builder, STR("red kettle"), NULL), 0);
    assert_int_equal(baskets_builder_end(&builder, NULL), 0);
    assert_int_equal(baskets_builder_finish(&builder, &b, NULL), 0);
    const struct setwriter_options options = {.items = &b, .format = TEXT_FIMI};
    assert_null(setwriter_new(out, &options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "red kettle"));
    struct itemset_group g = {.items = items, .length = 1, .support = 1};
    assert_writes(&b, TEXT_TSV, &g, 1, "items\tcount\tsupport\nred kettle\t1\t0.001\n");
    laneout_free(out);
    baskets_deinit(&b);
}

static void kept_sets_are_written_in_their_order(void **state)
{
    struct baskets b = parse("0 1\n0 1\n0\n");
    const struct itemset_params params = {.min_support = 1, .max_length = UINT32_MAX};
    struct itemsets sets;
    (void)state;
    assert_int_equal(itemsets_mine(&b.rows, &params, &sets, NULL), 0);
    struct output o = open_output(&b, TEXT_FIMI);
    assert_int_equal(setwriter_sets(o.writer, &sets, NULL), 0);
    assert_int_equal(setwriter_count(o.writer), 3);
    struct buf text = close_output(&o);
    assert_string_equal(buf_cstr(&text), "0 (3)\n1 (2)\n0 1 (2)\n");
    buf_deinit(&text);
    itemsets_deinit(&sets);
    baskets_deinit(&b);
}

static void failing_allocations_are_errors(void **state)
{
    struct baskets b = parse("a b c d e\n");
    struct itemset_group g = {.items = items,
                              .length = 2,
                              .support = 5,
                              .extra = extra,
                              .extra_count = 3,
                              .max_choice = 3};
    (void)state;
    OOM_LOOP
    {
        int fd = open("/dev/null", O_WRONLY);
        struct laneout *out = laneout_new(fd);
        const struct setwriter_options options = {
            .items = &b, .basket_count = 10, .format = TEXT_NDJSON, .sorted = oom_n % 2 == 0};
        struct setwriter *w = out ? setwriter_new(out, &options, NULL) : NULL;
        int rc = w ? 0 : ERR_NOMEM;
        if (w) {
            struct itemset_visitor v = setwriter_visitor(w);
            void *lane = v.lane_open(v.context, NULL);
            rc = lane ? v.found(v.context, lane, &g) : ERR_NOMEM;
            if (lane && v.lane_close(v.context, lane) != 0)
                rc = ERR_IO;
            if (laneout_finish(out, NULL) != 0)
                rc = ERR_IO;
        }
        assert_true(rc == 0 || oom_fired());
        setwriter_free(w);
        laneout_free(out);
        close(fd);
    }
    baskets_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_show_items_count_and_share),
        cmocka_unit_test(groups_are_written_as_every_choice_of_extras),
        cmocka_unit_test(shared_items_are_those_of_the_group_before),
        cmocka_unit_test(sorted_sets_are_in_the_order_of_their_columns),
        cmocka_unit_test(long_names_and_long_sets_are_whole),
        cmocka_unit_test(a_name_with_the_separator_is_refused),
        cmocka_unit_test(kept_sets_are_written_in_their_order),
        cmocka_unit_test(failing_allocations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
