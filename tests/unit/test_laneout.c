#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "service/laneout.h"
#include "support/oom.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool put(struct outlane *lane, const char *text, size_t length)
{
    if (!laneout_reserve(lane, length))
        return false;
    memcpy(lane->at, text, length);
    lane->at += length;
    return true;
}

static int memory_file(void)
{
    int fd = memfd_create("laneout", 0);
    assert_true(fd >= 0);
    return fd;
}

static struct buf content(int fd)
{
    struct buf text;
    char block[4096];
    ssize_t got;
    buf_init(&text, 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    while ((got = read(fd, block, sizeof block)) > 0)
        buf_add(&text, block, (size_t)got);
    close(fd);
    return text;
}

static void assert_content(int fd, const char *expected)
{
    struct buf text = content(fd);
    assert_string_equal(text.len ? buf_cstr(&text) : "", expected);
    buf_deinit(&text);
}

static void lanes_come_out_in_the_order_of_the_list(void **state)
{
    int fd = memory_file();
    struct laneout *o = laneout_new(fd);
    (void)state;
    struct outlane *a = laneout_open(o, NULL), *c = laneout_open(o, NULL), *b = laneout_open(o, a),
                   *d = laneout_open(o, NULL);
    assert_true(put(d, "d", 1) && put(b, "b1", 2) && put(c, "c", 1) && put(a, "a", 1));
    assert_true(laneout_close(c));
    assert_true(put(b, "b2", 2));
    assert_true(laneout_close(a));
    struct outlane *b2 = laneout_open(o, b);
    assert_true(put(b2, "+", 1));
    assert_true(laneout_close(b2) && laneout_close(d));
    assert_true(put(b, "b3", 2));
    assert_true(laneout_close(b));
    assert_int_equal(laneout_finish(o, NULL), 0);
    assert_int_equal(laneout_bytes(o), 10);
    laneout_free(o);
    assert_content(fd, "ab1b2b3+cd");
}

static void nothing_written_is_nothing(void **state)
{
    int fd = memory_file();
    struct laneout *o = laneout_new(fd);
    (void)state;
    assert_true(laneout_close(laneout_open(o, NULL)));
    assert_int_equal(laneout_finish(o, NULL), 0);
    laneout_free(o);
    assert_content(fd, "");
}

static void a_text_longer_than_a_block_is_written_whole(void **state)
{
    int fd = memory_file();
    struct laneout *o = laneout_new(fd);
    struct outlane *a = laneout_open(o, NULL), *b = laneout_open(o, NULL);
    size_t length = 300000;
    char *text = malloc(length);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', length);
    assert_true(put(b, "b", 1) && put(b, text, length) && put(b, "e", 1));
    assert_true(put(a, "a", 1) && put(a, text, length) && put(a, "e", 1));
    assert_true(laneout_close(a) && laneout_close(b));
    assert_int_equal(laneout_finish(o, NULL), 0);
    laneout_free(o);
    struct buf got = content(fd);
    assert_int_equal(got.len, 2 * (length + 2));
    for (size_t i = 0; i < 2; i++) {
        const char *at = got.ptr + i * (length + 2);
        assert_int_equal(at[0], "ab"[i]);
        assert_memory_equal(at + 1, text, length);
        assert_int_equal(at[length + 1], 'e');
    }
    buf_deinit(&got);
    free(text);
}

#define WORKERS 4
#define LANES   400

struct race {
    struct laneout *out;
    struct outlane *lane[LANES];
    struct cursor cursor;
    size_t bytes[LANES];
};

static void fill_lanes(void *context, uint32_t worker)
{
    struct race *race = context;
    uint64_t begin, end;
    struct rng r;
    rng_seed(&r, worker);
    while (cursor_take(&race->cursor, &begin, &end)) {
        char line[32];
        size_t bytes = 0;
        while (bytes < race->bytes[begin]) {
            int length = snprintf(line, sizeof line, "%u\n", (unsigned)begin);
            if (!put(race->lane[begin], line, (size_t)length))
                return;
            bytes += (size_t)length;
        }
        if (!laneout_close(race->lane[begin]))
            return;
    }
}

static void many_threads_give_the_order_of_one(void **state)
{
    static struct race race;
    struct rng r;
    int fd = memory_file();
    (void)state;
    rng_seed(&r, 3);
    race.out = laneout_new(fd);
    for (uint32_t l = 0; l < LANES; l++) {
        race.lane[l] = laneout_open(race.out, NULL);
        race.bytes[l] = rng_below(&r, 4) == 0 ? rng_below(&r, 300000) : rng_below(&r, 50);
    }
    cursor_init(&race.cursor, LANES, 1);
    parallel_run(WORKERS, fill_lanes, &race);
    assert_int_equal(laneout_finish(race.out, NULL), 0);
    laneout_free(race.out);
    struct buf text = content(fd);
    uint64_t lane = 0, number;
    for (struct str rest = {text.ptr, text.len}; rest.len > 0;) {
        struct str line = str_cut(&rest, '\n');
        assert_true(str_to_u64(line, &number) && number >= lane);
        lane = number;
    }
    buf_deinit(&text);
}

/* The second lane has more than may wait: it must block until the first one ends. */
struct blocked {
    struct laneout *out;
    struct outlane *lane;
    atomic_size_t done;
    bool good;
};

static void *fill_much(void *context)
{
    struct blocked *b = context;
    char block[4096];
    memset(block, '2', sizeof block);
    b->good = true;
    for (size_t i = 0; b->good && i < 3 * (LANEOUT_PENDING_BYTES / sizeof block); i++) {
        b->good = put(b->lane, block, sizeof block);
        atomic_fetch_add(&b->done, sizeof block);
    }
    b->good = laneout_close(b->lane) && b->good;
    return NULL;
}

static void a_lane_that_is_not_first_keeps_bounded_memory(void **state)
{
    pthread_t thread;
    int fd = open("/dev/null", O_WRONLY);
    struct blocked b = {.out = laneout_new(fd)};
    (void)state;
    struct outlane *first = laneout_open(b.out, NULL);
    b.lane = laneout_open(b.out, NULL);
    assert_int_equal(pthread_create(&thread, NULL, fill_much, &b), 0);
    size_t before = 0;
    for (size_t now; (now = atomic_load(&b.done)) == 0 || now != before; before = now)
        usleep(50000);
    assert_true(before >= LANEOUT_PENDING_BYTES - (64 << 10));
    assert_true(before <= LANEOUT_PENDING_BYTES + (128 << 10));
    assert_true(put(first, "1", 1)); /* the first one does not wait */
    assert_true(laneout_close(first));
    pthread_join(thread, NULL);
    assert_true(b.good);
    assert_int_equal(laneout_finish(b.out, NULL), 0);
    assert_int_equal(laneout_bytes(b.out), 1 + (size_t)3 * LANEOUT_PENDING_BYTES);
    laneout_free(b.out);
    close(fd);
}

static void a_full_device_fails_and_wakes_who_waits(void **state)
{
    pthread_t thread;
    struct error err = ERROR_INIT;
    int fd = open("/dev/full", O_WRONLY);
    struct blocked b = {.out = laneout_new(fd)};
    char block[70000];
    (void)state;
    memset(block, '1', sizeof block);
    struct outlane *first = laneout_open(b.out, NULL);
    b.lane = laneout_open(b.out, NULL);
    assert_int_equal(pthread_create(&thread, NULL, fill_much, &b), 0);
    while (put(first, block, sizeof block))
        ;
    assert_false(laneout_close(first));
    pthread_join(thread, NULL);
    assert_false(b.good);
    assert_int_equal(laneout_finish(b.out, &err), ERR_FULL);
    assert_non_null(strstr(err.text, "No space left"));
    laneout_free(b.out);
    close(fd);
}

static void failing_allocations_are_errors(void **state)
{
    (void)state;
    OOM_LOOP
    {
        int fd = open("/dev/null", O_WRONLY);
        struct laneout *o = laneout_new(fd);
        struct outlane *a = o ? laneout_open(o, NULL) : NULL, *b = o ? laneout_open(o, a) : NULL;
        char block[1000] = {0};
        bool good = a && b;
        for (int i = 0; good && i < 200; i++)
            good = put(a, block, sizeof block) && put(b, block, sizeof block);
        if (b && !laneout_close(b))
            good = false;
        if (a && !laneout_close(a))
            good = false;
        if (o && a && b)
            assert_int_equal(laneout_finish(o, NULL), good ? 0 : ERR_NOMEM);
        assert_true(good || oom_fired());
        laneout_free(o);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_come_out_in_the_order_of_the_list),
        cmocka_unit_test(nothing_written_is_nothing),
        cmocka_unit_test(a_text_longer_than_a_block_is_written_whole),
        cmocka_unit_test(many_threads_give_the_order_of_one),
        cmocka_unit_test(a_lane_that_is_not_first_keeps_bounded_memory),
        cmocka_unit_test(a_full_device_fails_and_wakes_who_waits),
        cmocka_unit_test(failing_allocations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
