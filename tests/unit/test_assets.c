/* The embedded files equal the files of the source tree the build read (make runs the tests at its
 * top). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assets.h"
#include "base/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_equals_file(const struct asset *asset)
{
    FILE *file = fopen(asset->path, "rb");
    assert_non_null(file);
    char *bytes = malloc(asset->content.len + 2);
    assert_non_null(bytes);
    size_t read = fread(bytes, 1, asset->content.len + 2, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(read, asset->content.len);
    assert_memory_equal(bytes, asset->content.ptr, read);
    assert_int_equal(asset->content.ptr[read], '\0');
    free(bytes);
}

static void every_asset_is_found_by_its_path_and_equals_its_file(void **state)
{
    (void)state;
    for (const struct asset *a = NULL; (a = assets_next("", a));) {
        assert_ptr_equal(assets_find(a->path), a);
        assert_equals_file(a);
    }
}

static void iteration_is_ordered_and_keeps_to_its_prefix(void **state)
{
    (void)state;
    const char *before = "";
    for (const struct asset *a = NULL; (a = assets_next("migrations/orders/", a));) {
        assert_memory_equal(a->path, "migrations/orders/", strlen("migrations/orders/"));
        assert_true(strcmp(before, a->path) < 0);
        before = a->path;
    }
}

static void an_unknown_path_or_prefix_finds_nothing(void **state)
{
    (void)state;
    assert_null(assets_find("migrations"));
    assert_null(assets_find(""));
    assert_null(assets_next("no such directory/", NULL));
}

static void the_version_has_three_numbers(void **state)
{
    (void)state;
    int major, minor, patch, end = 0;
    assert_int_equal(sscanf(basketd_version(), "%d.%d.%d%n", &major, &minor, &patch, &end), 3);
    assert_int_equal(basketd_version()[end], '\0');
    assert_true(strlen(basketd_commit()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_asset_is_found_by_its_path_and_equals_its_file),
        cmocka_unit_test(iteration_is_ordered_and_keeps_to_its_prefix),
        cmocka_unit_test(an_unknown_path_or_prefix_finds_nothing),
        cmocka_unit_test(the_version_has_three_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
