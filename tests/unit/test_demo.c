/* The made-up shop: equal bytes for equal seeds, sizes as asked for, what was planted is in the
 * orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/demo.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *slurp(const struct tempdir *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    rewind(f);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    fclose(f);
    return text;
}

static void make(struct tempdir *dir, uint32_t items, uint64_t orders, uint64_t seed)
{
    struct error err = ERROR_INIT;
    const struct demo_params params = {.items = items, .orders = orders, .seed = seed};
    tempdir_open(dir);
    assert_int_equal(demo_write(dir->path, &params, &err), 0);
}

static void equal_seeds_give_equal_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"items.ndjson", "orders.ndjson", "truth.json"};
    struct tempdir a, b, c;
    make(&a, 100, 500, 7);
    make(&b, 100, 500, 7);
    make(&c, 100, 500, 8);
    for (int i = 0; i < 3; i++) {
        char *x = slurp(&a, names[i]), *y = slurp(&b, names[i]), *z = slurp(&c, names[i]);
        assert_string_equal(x, y);
        assert_string_not_equal(x, z);
        free(x);
        free(y);
        free(z);
    }
    tempdir_close(&a);
    tempdir_close(&b);
    tempdir_close(&c);
}

static size_t parsed_lines(char *text)
{
    size_t count = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, count++) {
        *end = '\0';
        json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(record);
        json_decref(record);
    }
    return count;
}

static void there_is_as_much_as_was_asked_for(void **state)
{
    (void)state;
    struct tempdir dir;
    make(&dir, 120, 700, 1);
    char *items = slurp(&dir, "items.ndjson"), *orders = slurp(&dir, "orders.ndjson");
    assert_int_equal(parsed_lines(items), 120);
    assert_int_equal(parsed_lines(orders), 700);
    free(items);
    free(orders);
    tempdir_close(&dir);
}

static bool line_has(const char *line, const char *end, const char *id)
{
    const char *at = strstr(line, id);
    return at && at < end;
}

/* Orders with the first item that have the second too. */
static double together(const char *orders, const char *first, const char *second)
{
    size_t with = 0, both = 0;
    for (const char *line = orders, *end; (end = strchr(line, '\n')); line = end + 1) {
        if (!line_has(line, end, first))
            continue;
        with++;
        both += line_has(line, end, second);
    }
    assert_true(with > 0);
    return (double)both / (double)with;
}

static void bundles_are_bought_together_and_substitutes_are_not(void **state)
{
    (void)state;
    struct tempdir dir;
    make(&dir, 200, 6000, 3);
    char *orders = slurp(&dir, "orders.ndjson"), *text = slurp(&dir, "truth.json");
    json_t *truth = json_loads(text, 0, NULL);
    assert_non_null(truth);
    json_t *bundles = json_object_get(truth, "bundles"),
           *pairs = json_object_get(truth, "substitutes");
    assert_int_equal(json_array_size(bundles), 8);
    assert_int_equal(json_array_size(pairs), 8);
    size_t i;
    json_t *one;
    json_array_foreach(bundles, i, one)
    {
        json_t *items = json_object_get(one, "items");
        double share = together(orders, json_string_value(json_array_get(items, 0)),
                                json_string_value(json_array_get(items, 1)));
        assert_true(share > json_real_value(json_object_get(one, "chance")) - 0.15);
    }
    json_array_foreach(pairs, i, one)
        assert_true(together(orders, json_string_value(json_array_get(one, 0)),
                             json_string_value(json_array_get(one, 1))) == 0);
    json_decref(truth);
    free(orders);
    free(text);
    tempdir_close(&dir);
}

static void trouble_is_reported(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct progress progress;
    struct tempdir dir;
    const struct demo_params params = {.items = 60, .orders = 50};
    assert_int_equal(demo_write("/nonexistent/there", &params, &err), ERR_IO);
    error_clear(&err);
    tempdir_open(&dir);
    progress_init(&progress);
    progress_cancel(&progress);
    const struct demo_params cancelled = {.items = 60, .orders = 50, .progress = &progress};
    assert_int_equal(demo_write(dir.path, &cancelled, &err), ERR_CANCELLED);
    OOM_LOOP
    {
        error_clear(&err);
        int rc = demo_write(dir.path, &params, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    tempdir_close(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_seeds_give_equal_bytes),
        cmocka_unit_test(there_is_as_much_as_was_asked_for),
        cmocka_unit_test(bundles_are_bought_together_and_substitutes_are_not),
        cmocka_unit_test(trouble_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
