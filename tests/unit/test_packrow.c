#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "ingest/packrow.h"
#include "support/oom.h"

#include <stdlib.h>
#include <string.h>

static struct str text_of(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

static int64_t random_number(struct rng *rng)
{
    int64_t value = (int64_t)(rng_u64(rng) >> rng_below(rng, 64));
    return rng_below(rng, 2) ? value : -value;
}

static struct str random_string(struct rng *rng, char *room, uint32_t max)
{
    size_t len = rng_below(rng, rng_below(rng, 8) ? 20 : max + 1);
    for (size_t i = 0; i < len; i++)
        room[i] = (char)rng_below(rng, 256);
    return (struct str){room, len};
}

static void same(const struct packrow *a, const struct packrow *b)
{
    assert_int_equal(a->class, b->class);
    assert_int_equal(a->line, b->line);
    if (a->class != LINE_GOOD)
        return;
    assert_true(a->item.quantity == b->item.quantity);
    assert_true(a->item.price_minor == b->item.price_minor);
    assert_true(a->time_ms == b->time_ms);
    assert_true(str_eq(a->item.item_id, b->item.item_id));
    assert_true(str_eq(a->item.title, b->item.title));
    assert_true(str_eq(a->user_id, b->user_id));
    assert_int_equal(a->user_id.ptr != NULL, b->user_id.ptr != NULL);
}

static void random_rows_come_back_as_they_went_in(void **state)
{
    (void)state;
    struct rng rng;
    struct buf out;
    rng_seed(&rng, 4);
    buf_init(&out, 0);
    for (int round = 0; round < 5000; round++) {
        char rooms[3][3][1024];
        struct packrow rows[3], back;
        buf_clear(&out);
        for (int i = 0; i < 3; i++) {
            rows[i] = (struct packrow){
                .class = (enum line_class)rng_below(&rng, 3),
                .line = rng_u64(&rng) >> rng_below(&rng, 64),
                .item = {.item_id = random_string(&rng, rooms[i][0], 256),
                         .title = random_string(&rng, rooms[i][1], 1024),
                         .quantity = random_number(&rng),
                         .price_minor = rng_below(&rng, 3) ? random_number(&rng) : RECORD_NO_PRICE},
                .user_id = rng_below(&rng, 2) ? random_string(&rng, rooms[i][2], 256) : STR_NONE,
                .time_ms = rng_below(&rng, 3) ? random_number(&rng) : RECORD_NO_TIME,
            };
            packrow_put(&rows[i], &out);
        }
        struct str bytes = text_of(&out);
        for (int i = 0; i < 3; i++) {
            assert_true(packrow_get(&bytes, &back));
            same(&rows[i], &back);
        }
        assert_int_equal(bytes.len, 0);
    }
    buf_deinit(&out);
}

static void a_cut_row_is_damaged_not_read_beyond(void **state)
{
    (void)state;
    struct buf out;
    struct packrow back, row = {.class = LINE_GOOD,
                                .line = 300,
                                .item = {STR("sku-1"), STR("title"), 2, 350},
                                .user_id = STR("u1"),
                                .time_ms = 1767323045000};
    buf_init(&out, 0);
    packrow_put(&row, &out);
    for (size_t len = 0; len < out.len; len++) {
        char *cut = mem_copy(out.ptr, len); /* its own block, so that a sanitizer sees */
        struct str bytes = {cut, len};
        assert_non_null(cut);
        assert_false(packrow_get(&bytes, &back));
        free(cut);
    }
    struct str garbage = STR("\x03\x01"),
               endless = STR("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_false(packrow_get(&garbage, &back));
    assert_false(packrow_get(&endless, &back));
    buf_deinit(&out);
}

static void running_out_of_memory_shows_in_the_buffer(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct buf out;
        struct packrow row = {.class = LINE_REJECTED, .line = 1};
        buf_init(&out, 0);
        packrow_put(&row, &out);
        assert_int_equal(out.failed, oom_fired());
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_come_back_as_they_went_in),
        cmocka_unit_test(a_cut_row_is_damaged_not_read_beyond),
        cmocka_unit_test(running_out_of_memory_shows_in_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
