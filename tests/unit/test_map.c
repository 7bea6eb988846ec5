/* Maps against a plain array: random adding, overwriting, removing; odd keys; packing; no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/rng.h"
#include "support/oom.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 4000

struct key {
    char text[32];
};

static struct str key_of(struct key *room, uint32_t number)
{
    /* Lengths from 1 to 24, so that keys share hashes' inputs and beginnings. */
    int length = snprintf(room->text, sizeof room->text, "%u%.*s", number, (int)(number % 20),
                          "----------------------------");
    return (struct str){room->text, (size_t)length};
}

static void a_map_never_written_is_empty(void **state)
{
    (void)state;
    struct strmap m;
    struct u64map u;
    strmap_init(&m);
    u64map_init(&u);
    assert_int_equal(strmap_get(&m, STR("x")), MAP_NONE);
    assert_false(strmap_remove(&m, STR("x")));
    assert_int_equal(strmap_bytes(&m), 0);
    assert_int_equal(u64map_get(&u, 0), MAP_NONE);
    strmap_deinit(&m);
    strmap_deinit(&m);
    u64map_deinit(&u);
    u64map_deinit(&u);
}

static void odd_keys_are_keys(void **state)
{
    (void)state;
    struct strmap m;
    strmap_init(&m);
    char *large = calloc(1, 1 << 20);
    assert_non_null(large);
    assert_true(strmap_set(&m, STR_NONE, 1));
    assert_true(strmap_set(&m, STR("\0"), 2));
    assert_true(strmap_set(&m, STR("\0\0"), 3));
    assert_true(strmap_set(&m, (struct str){large, 1 << 20}, MAP_NONE - 1));
    assert_true(strmap_set(&m, STR("overwritten"), 0));
    assert_true(strmap_set(&m, STR("overwritten"), 5));
    assert_int_equal(m.count, 5);
    assert_int_equal(strmap_get(&m, STR("")), 1);
    assert_int_equal(strmap_get(&m, STR("\0")), 2);
    assert_int_equal(strmap_get(&m, STR("\0\0")), 3);
    assert_int_equal(strmap_get(&m, (struct str){large, 1 << 20}), MAP_NONE - 1);
    assert_int_equal(strmap_get(&m, (struct str){large, (1 << 20) - 1}), MAP_NONE);
    assert_int_equal(strmap_get(&m, STR("overwritten")), 5);
    assert_true(strmap_remove(&m, STR_NONE));
    assert_int_equal(strmap_get(&m, STR_NONE), MAP_NONE);
    assert_int_equal(m.count, 4);
    free(large);
    strmap_deinit(&m);
}

static void the_map_keeps_its_own_copy_of_a_key(void **state)
{
    (void)state;
    struct strmap m;
    strmap_init(&m);
    char key[] = "key";
    assert_true(strmap_set(&m, str_of(key), 9));
    key[0] = 'K';
    assert_int_equal(strmap_get(&m, STR("key")), 9);
    assert_int_equal(strmap_get(&m, str_of(key)), MAP_NONE);
    strmap_deinit(&m);
}

static void assert_same(const struct strmap *m, const uint32_t *want)
{
    struct key room = {{0}};
    size_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_int_equal(strmap_get(m, key_of(&room, i)), want[i]);
        count += want[i] != MAP_NONE;
    }
    assert_int_equal(m->count, count);
}

static void random_changes_equal_an_array(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 41);
    struct strmap m;
    struct key room = {{0}};
    static uint32_t want[KEYS];
    strmap_init(&m);
    memset(want, 0xff, sizeof want);
    for (int step = 0; step < 400000; step++) {
        uint32_t i = rng_below(&rng, KEYS), value = rng_below(&rng, MAP_NONE);
        struct str key = key_of(&room, i);
        /* Long stretches of mostly adding, then of mostly removing. */
        if (rng_below(&rng, 10) < (step / 40000 % 2 ? 2 : 8)) {
            assert_true(strmap_set(&m, key, value));
            want[i] = value;
        } else {
            assert_int_equal(strmap_remove(&m, key), want[i] != MAP_NONE);
            want[i] = MAP_NONE;
        }
        if (step % 20000 == 0)
            assert_same(&m, want);
    }
    assert_same(&m, want);
    strmap_deinit(&m);
}

static void removed_keys_give_their_memory_back(void **state)
{
    (void)state;
    struct strmap m;
    struct key room = {{0}};
    strmap_init(&m);
    size_t most = 0;
    /* A window of 1000 keys slides over a million: memory stays that of a few thousand. */
    for (uint32_t i = 0; i < 1000000; i++) {
        assert_true(strmap_set(&m, key_of(&room, i), i));
        if (i >= 1000)
            assert_true(strmap_remove(&m, key_of(&room, i - 1000)));
        most = strmap_bytes(&m) > most ? strmap_bytes(&m) : most;
    }
    assert_int_equal(m.count, 1000);
    assert_true(most < 256 << 10);
    for (uint32_t i = 999000; i < 1000000; i++) {
        assert_int_equal(strmap_get(&m, key_of(&room, i)), i);
        assert_true(strmap_remove(&m, key_of(&room, i)));
    }
    assert_int_equal(m.count, 0);
    assert_true(strmap_set(&m, STR("again"), 1));
    assert_int_equal(strmap_get(&m, STR("again")), 1);
    strmap_deinit(&m);
}

static void many_keys_are_found_and_others_are_not(void **state)
{
    (void)state;
    struct strmap m;
    struct u64map u;
    struct key room = {{0}};
    strmap_init(&m);
    u64map_init(&u);
    const uint32_t count = 200000;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(strmap_set(&m, key_of(&room, i), i));
        assert_true(u64map_set(&u, (uint64_t)i << 40, i)); /* only high bits differ */
    }
    assert_true(u64map_set(&u, UINT64_MAX, 7));
    assert_int_equal(m.count, count);
    assert_int_equal(u.count, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(strmap_get(&m, key_of(&room, i)), i);
        assert_int_equal(strmap_get(&m, key_of(&room, i + count)), MAP_NONE);
        assert_int_equal(u64map_get(&u, (uint64_t)i << 40), i);
        assert_int_equal(u64map_get(&u, ((uint64_t)i << 40) + 1), MAP_NONE);
    }
    assert_int_equal(u64map_get(&u, UINT64_MAX), 7);
    assert_true(u64map_set(&u, UINT64_MAX, 8));
    assert_int_equal(u64map_get(&u, UINT64_MAX), 8);
    assert_int_equal(u.count, count + 1);
    strmap_deinit(&m);
    u64map_deinit(&u);
}

static void no_memory_leaves_the_maps_as_they_were(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct strmap m;
        struct u64map u;
        struct key room = {{0}};
        strmap_init(&m);
        u64map_init(&u);
        uint32_t added = 0;
        while (added < 300 && strmap_set(&m, key_of(&room, added), added) &&
               u64map_set(&u, added, added))
            added++;
        /* Packing needs memory, too; without it the map lives on. */
        for (uint32_t i = 0; i < added / 2; i++)
            assert_true(strmap_remove(&m, key_of(&room, i)));
        for (uint32_t i = 0; i < added; i++) {
            assert_int_equal(strmap_get(&m, key_of(&room, i)), i < added / 2 ? MAP_NONE : i);
            assert_int_equal(u64map_get(&u, i), i);
        }
        if (!oom_fired())
            assert_int_equal(added, 300);
        strmap_deinit(&m);
        u64map_deinit(&u);
    }
}

static void packing_without_memory_keeps_every_key(void **state)
{
    (void)state;
    struct strmap m;
    struct key room = {{0}};
    strmap_init(&m);
    for (uint32_t i = 0; i < 2000; i++)
        assert_true(strmap_set(&m, key_of(&room, i), i));
    size_t before = strmap_bytes(&m);
    oom_fail_at(1);
    for (uint32_t i = 0; !oom_fired() && i < 2000; i++)
        assert_true(strmap_remove(&m, key_of(&room, i)));
    assert_true(oom_fired());
    oom_disarm();
    assert_int_equal(strmap_bytes(&m), before);
    uint32_t first = 2000 - (uint32_t)m.count;
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(strmap_get(&m, key_of(&room, i)), i < first ? MAP_NONE : i);
    assert_true(strmap_remove(&m, key_of(&room, first)));
    assert_true(strmap_bytes(&m) < before);
    for (uint32_t i = first + 1; i < 2000; i++)
        assert_int_equal(strmap_get(&m, key_of(&room, i)), i);
    strmap_deinit(&m);
}

static void *read_all(void *map)
{
    struct key room = {{0}};
    for (uint32_t i = 0; i < KEYS; i++)
        if (strmap_get(map, key_of(&room, i)) != i)
            return NULL;
    return map;
}

static void many_threads_may_read(void **state)
{
    (void)state;
    struct strmap m;
    struct key room = {{0}};
    strmap_init(&m);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_true(strmap_set(&m, key_of(&room, i), i));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &m), 0);
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &m);
    }
    strmap_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_never_written_is_empty),
        cmocka_unit_test(odd_keys_are_keys),
        cmocka_unit_test(the_map_keeps_its_own_copy_of_a_key),
        cmocka_unit_test(random_changes_equal_an_array),
        cmocka_unit_test(removed_keys_give_their_memory_back),
        cmocka_unit_test(many_keys_are_found_and_others_are_not),
        cmocka_unit_test(no_memory_leaves_the_maps_as_they_were),
        cmocka_unit_test(packing_without_memory_keeps_every_key),
        cmocka_unit_test(many_threads_may_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
