/* Every input saved under tests/fuzz/regression/<driver> is checked as its fuzz driver checks it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "support/basketcheck.h"
#include "support/evalcheck.h"
#include "support/fuzzcheck.h"

static void check_ndjson(const uint8_t *data, size_t size)
{
    fuzzcheck_reader(FORMAT_NDJSON, data, size);
}

static void check_json(const uint8_t *data, size_t size)
{
    fuzzcheck_reader(FORMAT_JSON, data, size);
}

static void check_csv(const uint8_t *data, size_t size)
{
    fuzzcheck_reader(FORMAT_CSV, data, size);
}

static void check_fimi(const uint8_t *data, size_t size)
{
    fuzzcheck_reader(FORMAT_FIMI, data, size);
}

static void run_file(const char *path, void (*check)(const uint8_t *data, size_t size))
{
    struct buf input;
    char block[4096];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    buf_init(&input, 0);
    for (size_t got; (got = fread(block, 1, sizeof block, f)) > 0;)
        buf_add(&input, block, got);
    fclose(f);
    assert_false(input.failed);
    check((const uint8_t *)input.ptr, input.len);
    buf_deinit(&input);
}

static void run_directory(const char *name, void (*check)(const uint8_t *data, size_t size))
{
    char path[512];
    unsigned count = 0;
    snprintf(path, sizeof path, "tests/fuzz/regression/%s", name);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "tests/fuzz/regression/%s/%s", name, e->d_name);
        run_file(path, check);
        count++;
    }
    closedir(d);
    assert_true(count > 0);
}

static void saved_inputs_pass_the_checks_of_their_drivers(void **state)
{
    (void)state;
    run_directory("ndjson", check_ndjson);
    run_directory("json", check_json);
    run_directory("csv", check_csv);
    run_directory("fimi", check_fimi);
    run_directory("decompress", fuzzcheck_decompress);
    run_directory("baskets", fuzzcheck_baskets);
    run_directory("shards", fuzzcheck_shards);
    run_directory("sequences", evalcheck_sequences);
    run_directory("sessions", evalcheck_sessions);
    run_directory("tuned", evalcheck_tuned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_inputs_pass_the_checks_of_their_drivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
