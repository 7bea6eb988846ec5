#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "ingest/merge.h"
#include "support/oom.h"
#include "support/transcript.h"

#include <stdio.h>
#include <string.h>

struct bench {
    struct cleaner clean;
    struct merge merge;
    struct buf out;
};

static void begin(struct bench *b, bool copy)
{
    struct error err = ERROR_INIT;
    const struct reader_options options = {0};
    buf_init(&b->out, 0);
    const struct reader_sink sink = transcript_sink(&b->out);
    int rc = clean_init(&b->clean, &options, &sink, &err);
    assert_int_equal(rc, 0);
    merge_init(&b->merge, copy);
}

static void end(struct bench *b)
{
    merge_deinit(&b->merge);
    merge_deinit(&b->merge);
    clean_deinit(&b->clean);
    buf_deinit(&b->out);
}

static void add(struct bench *b, const char *item, int64_t quantity, int64_t price)
{
    struct record_line line = {.item_id = str_of(item), .quantity = quantity, .price_minor = price};
    b->clean.counts.lines.read++;
    int rc = merge_add(&b->merge, LINE_GOOD, &line, NULL);
    assert_int_equal(rc, 0);
}

static void add_class(struct bench *b, enum line_class class)
{
    b->clean.counts.lines.read++;
    b->clean.counts.lines.rejected += class == LINE_REJECTED;
    b->clean.counts.lines.excluded += class == LINE_EXCLUDED;
    int rc = merge_add(&b->merge, class, NULL, NULL);
    assert_int_equal(rc, 0);
}

/* Ends the order and compares what came out since the last time. */
static void finish(struct bench *b, const char *expected)
{
    const struct record head = {
        .kind = RECORD_ORDER, .line = 1, .time_ms = RECORD_NO_TIME, .order_id = STR("o")};
    int rc = merge_finish(&b->merge, &b->clean, &head, NULL);
    assert_int_equal(rc, 0);
    clean_check_counts(&b->clean);
    transcript_counts(&b->out, &b->clean.counts);
    assert_string_equal(buf_cstr(&b->out), expected);
    buf_clear(&b->out);
    b->clean.counts = (struct ingest_counts){0};
    b->clean.given_orders = b->clean.given_lines = 0;
}

static void rows_of_one_item_merge_and_the_last_price_holds(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, false);
    add(&b, "a", 1, 100);
    add(&b, "b", 2, 200);
    add(&b, "a", 3, 300);
    add(&b, "a", 1, RECORD_NO_PRICE);
    finish(&b, "order 1 id=\"o\" rows=4\n    item=\"a\" quantity=5 price=300\n"
               "    item=\"b\" quantity=2 price=200\norders read=1\nlines read=4 merged=2\n");
    end(&b);
}

static void returns_take_from_the_same_order_wherever_they_stand(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, false);
    add(&b, "a", -1, 999);
    add(&b, "a", 3, 100);
    add(&b, "b", 1, 50);
    add(&b, "c", -2, 50);
    finish(&b, "order 1 id=\"o\" rows=4\n    item=\"a\" quantity=2 price=100\n"
               "    item=\"b\" quantity=1 price=50\norders read=1\nlines read=4 returned=2\n");
    add(&b, "a", 2, 1);
    add(&b, "a", 1, 1);
    add(&b, "a", -3, 1);
    add(&b, "b", 1, 1);
    finish(&b, "order 1 id=\"o\" rows=4\n    item=\"b\" quantity=1 price=1\n"
               "orders read=1\nlines read=4 returned=3\n");
    end(&b);
}

static void an_order_of_which_nothing_is_left_is_cancelled(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, false);
    add(&b, "a", -1, 1);
    add(&b, "b", -2, 1);
    finish(&b, "orders read=1 cancelled=1\nlines read=2 cancelled=2\n");
    add(&b, "a", 1, 1);
    add(&b, "a", -1, 1);
    add_class(&b, LINE_EXCLUDED);
    add_class(&b, LINE_REJECTED);
    finish(&b, "orders read=1 cancelled=1\nlines read=4 cancelled=2 excluded=1 rejected=1\n");
    end(&b);
}

static void an_order_without_good_rows_is_excluded_or_rejected(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, false);
    add_class(&b, LINE_EXCLUDED);
    add_class(&b, LINE_REJECTED);
    finish(&b, "orders read=1 excluded=1\nlines read=2 excluded=1 rejected=1\n");
    add_class(&b, LINE_REJECTED);
    finish(&b, "orders read=1 rejected=1\nlines read=1 rejected=1\n");
    end(&b);
}

/* The rules again, the slow way: item by item over all rows. */
static void reference(struct buf *out, const int *items, const int *quantities, unsigned count,
                      unsigned variety)
{
    struct tally orders = {.read = 1}, lines = {.read = count};
    struct buf body;
    unsigned left = 0;
    buf_init(&body, 0);
    for (unsigned n = 0; n < variety; n++) {
        int sum = 0;
        unsigned positive = 0, negative = 0, first = count, last = 0;
        for (unsigned i = 0; i < count; i++) {
            if (items[i] != (int)n)
                continue;
            first = first == count ? i : first;
            sum += quantities[i];
            positive += quantities[i] > 0;
            negative += quantities[i] < 0;
            last = quantities[i] > 0 ? i : last;
        }
        lines.returned += negative + (sum <= 0 ? positive : 0);
        lines.merged += sum > 0 ? positive - 1 : 0;
        left += sum > 0;
        if (sum > 0)
            buf_printf(&body, "%06u item%u=%d@%u|", first, n, sum, last);
    }
    if (left == 0) {
        lines = (struct tally){.read = count, .cancelled = count};
        orders.cancelled = 1;
    }
    transcript_tally(out, "orders", &orders);
    transcript_tally(out, "lines", &lines);
    buf_str(out, (struct str){body.ptr, body.len});
    buf_deinit(&body);
}

struct seen {
    struct buf *out;
    const int *first; /* row where each item first stood */
    unsigned variety;
};

static int on_order(void *context, const struct record *r, struct error *err)
{
    struct seen *s = context;
    (void)err;
    int before = -1;
    for (unsigned n = 0; n < s->variety; n++) {
        for (uint32_t i = 0; i < r->line_count; i++) {
            char name[16];
            snprintf(name, sizeof name, "i%u", n);
            if (str_eq(r->lines[i].item_id, str_of(name)))
                buf_printf(s->out, "%06d item%u=%lld@%lld|", s->first[n], n,
                           (long long)r->lines[i].quantity, (long long)r->lines[i].price_minor);
        }
    }
    for (uint32_t i = 0; i < r->line_count; i++) {
        uint64_t n;
        assert_true(
            str_to_u64((struct str){r->lines[i].item_id.ptr + 1, r->lines[i].item_id.len - 1}, &n));
        assert_true(s->first[n] > before); /* in order of appearance */
        before = s->first[n];
    }
    return 0;
}

static void random_orders_equal_the_slow_way(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 31);
    for (int round = 0; round < 4000; round++) {
        enum { MOST = 200 };
        int items[MOST], quantities[MOST], first[MOST];
        unsigned count = 1 + rng_below(&rng, rng_below(&rng, 4) ? 12 : MOST);
        unsigned variety = 1 + rng_below(&rng, count < 100 ? 8 : 100);
        struct bench b;
        struct buf got, expected, tallies;
        buf_init(&got, 0);
        buf_init(&expected, 0);
        buf_init(&tallies, 0);
        begin(&b, rng_below(&rng, 2));
        struct seen seen = {&got, first, variety};
        b.clean.sink = (struct reader_sink){.context = &seen, .record = on_order};
        for (unsigned n = 0; n < variety; n++)
            first[n] = -1;
        for (unsigned i = 0; i < count; i++) {
            char name[16]; /* overwritten by the next row: copies must be made when asked for */
            static char kept[MOST][16];
            items[i] = (int)rng_below(&rng, variety);
            quantities[i] = (int)rng_below(&rng, 4) - (rng_below(&rng, 3) ? 0 : 3);
            quantities[i] += quantities[i] == 0;
            first[items[i]] = first[items[i]] < 0 ? (int)i : first[items[i]];
            snprintf(name, sizeof name, "i%d", items[i]);
            memcpy(kept[i], name, sizeof name);
            add(&b, b.merge.copy ? name : kept[i], quantities[i], (int64_t)i);
        }
        const struct record head = {.kind = RECORD_ORDER, .line = 1, .order_id = STR("o")};
        int rc = merge_finish(&b.merge, &b.clean, &head, NULL);
        assert_int_equal(rc, 0);
        clean_check_counts(&b.clean);
        transcript_tally(&tallies, "orders", &b.clean.counts.orders);
        transcript_tally(&tallies, "lines", &b.clean.counts.lines);
        buf_str(&tallies, (struct str){got.ptr, got.len});
        reference(&expected, items, quantities, count, variety);
        assert_string_equal(buf_cstr(&tallies), buf_cstr(&expected));
        buf_deinit(&got);
        buf_deinit(&expected);
        buf_deinit(&tallies);
        end(&b);
    }
}

static void a_large_order_leaves_nothing_to_the_next(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true);
    for (int order = 0; order < 3; order++) {
        for (int i = 0; i < 60; i++) {
            char name[32];
            snprintf(name, sizeof name, "%d-%d", order, i);
            add(&b, name, 1, 1);
        }
        add(&b, "0-7", 1, 1); /* in the first order only it merges */
        struct record head = {.kind = RECORD_ORDER, .line = 1, .order_id = STR("o")};
        int rc = merge_finish(&b.merge, &b.clean, &head, NULL);
        assert_int_equal(rc, 0);
        assert_int_equal(b.clean.counts.lines.merged, 1);
        assert_int_equal(b.clean.given_lines, 60 + order * 61);
    }
    end(&b);
}

static void an_order_of_just_the_limit_is_good(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, false);
    for (unsigned i = 0; i < LIMIT_ORDER_LINES; i++)
        add(&b, "a", 1, 1);
    finish(&b, "order 1 id=\"o\" rows=1000000\n    item=\"a\" quantity=1000000 price=1\n"
               "orders read=1\nlines read=1000000 merged=999999\n");
    end(&b);
}

static void an_order_beyond_the_limits_is_one_problem_and_frees_its_memory(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true);
    for (unsigned i = 0; i <= LIMIT_ORDER_LINES + 5; i++)
        add(&b, i % 2 ? "a" : "b", 1, 1);
    add_class(&b, LINE_EXCLUDED);
    finish(&b, "problem 1 items: more than 1000000 lines in one order\n"
               "orders read=1 rejected=1\nlines read=1000007 excluded=1 rejected=1000006\n");
    char id[LIMIT_ID_BYTES + 1];
    memset(id, 'x', sizeof id - 1);
    for (unsigned i = 0; i < LIMIT_RECORD_BYTES / LIMIT_ID_BYTES + 1; i++) {
        snprintf(id + LIMIT_ID_BYTES - 10, 11, "%010u", i);
        add(&b, id, 1, 1);
    }
    assert_int_equal(b.merge.lines.count, 0);
    finish(&b, "problem 1 items: more than 67108864 bytes in one order\n"
               "orders read=1 rejected=1\nlines read=262145 rejected=262145\n");
    add(&b, "a", 1, 1); /* the next order is unharmed */
    finish(&b, "order 1 id=\"o\" rows=1\n    item=\"a\" quantity=1 price=1\n"
               "orders read=1\nlines read=1\n");
    end(&b);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct merge m;
        int rc = 0;
        merge_init(&m, true);
        for (int i = 0; i < 60 && rc == 0; i++) {
            char name[16], title[16];
            snprintf(name, sizeof name, "i%d", i % 40);
            snprintf(title, sizeof title, "t%d", i);
            struct record_line line = {.item_id = str_of(name),
                                       .title = i > 20 ? str_of(title) : STR_NONE,
                                       .quantity = 1,
                                       .price_minor = 1};
            rc = merge_add(&m, LINE_GOOD, &line, NULL);
        }
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        merge_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_one_item_merge_and_the_last_price_holds),
        cmocka_unit_test(returns_take_from_the_same_order_wherever_they_stand),
        cmocka_unit_test(an_order_of_which_nothing_is_left_is_cancelled),
        cmocka_unit_test(an_order_without_good_rows_is_excluded_or_rejected),
        cmocka_unit_test(random_orders_equal_the_slow_way),
        cmocka_unit_test(a_large_order_leaves_nothing_to_the_next),
        cmocka_unit_test(an_order_of_just_the_limit_is_good),
        cmocka_unit_test(an_order_beyond_the_limits_is_one_problem_and_frees_its_memory),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
