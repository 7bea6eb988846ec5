#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/importer.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shopkit kit;
static struct ingest_report report;
static struct progress progress;
static char path[256];

static int setup(void **state)
{
    (void)state;
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    ingest_report_init(&report);
    snprintf(path, sizeof path, "%s", tempdir_file(&kit.dir, "input"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ingest_report_deinit(&report);
    shopkit_close(&kit);
    return 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static int import(const char *from, const struct import_request *request)
{
    struct error err = ERROR_INIT;
    _Atomic uint64_t rows = 0;
    struct import_params params = {
        .request = request, .path = from, .progress = &progress, .rows = &rows};
    progress_init(&progress);
    ingest_report_deinit(&report);
    int rc = import_run(kit.shop, &params, &report, &err);
    assert_int_equal(err.code, rc);
    return rc;
}

static const struct import_request automatic;

/* Rows of `count` orders, three items each, so that the rows of one order lie far apart. */
static void write_csv(uint32_t count)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    fputs("order_id,item_id,quantity,price,timestamp\n", file);
    for (uint32_t pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < count; i++)
            fprintf(file, "o%u,i%u,1,%u.50,2026-01-01 10:00:00\n", i, (i + pass * 7) % 50, pass);
    fclose(file);
}

static void many_batches_arrive_once_each(void **state)
{
    (void)state;
    enum { ORDERS = 9000 };
    write_csv(ORDERS);
    assert_int_equal(import(path, &automatic), 0);
    assert_int_equal(report.counts.orders.accepted, ORDERS);
    assert_int_equal(report.counts.lines.read, 3 * ORDERS);
    assert_int_equal(report.counts.lines.accepted, 3 * ORDERS);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), ORDERS);
    assert_int_equal(shopkit_count(&kit, "SELECT sum(json_array_length(lines)) FROM orders"),
                     3 * ORDERS);
    assert_int_equal(atomic_load(&progress.done), 3 * ORDERS); /* "writing orders" */
    char *before = shopkit_dump(&kit);
    assert_int_equal(import(path, &automatic), 0);
    assert_int_equal(report.counts.orders.duplicate, ORDERS);
    assert_int_equal(report.counts.orders.accepted, 0);
    char *after = shopkit_dump(&kit);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void bytes_are_counted_while_a_file_is_read(void **state)
{
    (void)state;
    const char *text = "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\n";
    write_file(text);
    assert_int_equal(import(path, &automatic), 0);
    assert_int_equal(atomic_load(&progress.done), strlen(text));
    assert_int_equal(atomic_load(&progress.total), strlen(text));
}

static void made_order_ids_make_a_second_import_harmless(void **state)
{
    (void)state;
    struct import_request request = {.format = FORMAT_FIMI, .source = "shop-a"};
    write_file("1 2 3\n2 3\n\n3\n");
    assert_int_equal(import(path, &request), 0);
    assert_int_equal(report.counts.orders.accepted, 3);
    assert_int_equal(import(path, &request), 0);
    assert_int_equal(report.counts.orders.duplicate, 3);
}

static void strict_writes_all_or_nothing(void **state)
{
    (void)state;
    struct import_request strict = {.strict = true};
    write_file("{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\nbad\n");
    assert_int_equal(import(path, &strict), ERR_INVALID);
    assert_int_equal(report.problem_total, 1);
    assert_int_equal(report.problems[0].line, 2);
    assert_int_equal(report.counts.orders.read, 1);
    assert_int_equal(report.counts.orders.accepted, 0);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 0);
    write_file("{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\n");
    assert_int_equal(import(path, &strict), 0);
    assert_int_equal(report.counts.orders.read, 1); /* the check pass does not count */
    assert_int_equal(report.counts.orders.accepted, 1);
}

/* Standard input is a pipe with `text`. */
static int import_piped(const char *text, const struct import_request *request)
{
    int ends[2], kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    int rc = import("-", request);
    dup2(kept, STDIN_FILENO);
    close(kept);
    return rc;
}

static void standard_input_is_read_and_can_be_strict(void **state)
{
    (void)state;
    struct import_request strict = {.strict = true};
    assert_int_equal(import_piped("order,item\n1,a\n1,b\n2,a\n", &automatic), 0);
    assert_int_equal(report.counts.orders.accepted, 2);
    assert_int_equal(import_piped("order,item\n3,a\n,b\n", &strict), ERR_INVALID);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 2);
    assert_int_equal(import_piped("order,item\n3,a\n3,b\n", &strict), 0);
    assert_int_equal(report.counts.orders.accepted, 1);
}

static void what_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct import_request bad = {.include_items = "("};
    assert_int_equal(import(tempdir_file(&kit.dir, "nothing"), &automatic), ERR_NOT_FOUND);
    assert_int_equal(import(kit.dir.path, &automatic), ERR_INVALID);
    write_file("{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\n");
    assert_int_equal(import(path, &bad), ERR_INVALID);
    write_file("\x1f\x8b not gzip at all");
    assert_true(import(path, &automatic) != 0);
}

static void maps_and_filters_reach_the_reader(void **state)
{
    (void)state;
    struct import_request request = {
        .exclude_items = "^x", .maps = {"bon=order_id", "artikel=item_id"}, .map_count = 2};
    write_file("bon,artikel\n1,a\n1,x1\n2,b\n");
    assert_int_equal(import(path, &request), 0);
    assert_int_equal(report.counts.orders.accepted, 2);
    assert_int_equal(report.counts.lines.excluded, 1);
}

static void a_cancelled_import_stops(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct import_params params = {.request = &automatic, .path = path, .progress = &progress};
    write_csv(100);
    progress_init(&progress);
    progress_cancel(&progress);
    assert_int_equal(import_run(kit.shop, &params, &report, &err), ERR_CANCELLED);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 0);
}

static void a_failed_allocation_loses_nothing_that_is_sent_again(void **state)
{
    (void)state;
    write_csv(60);
    int rc = ERR_NOMEM;
    OOM_LOOP
    {
        rc = import(path, &automatic);
        assert_true(rc == 0 || oom_fired());
    }
    assert_int_equal(rc, 0);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 60);
}

static void uci_online_retail_is_accounted_for_to_the_line(void **state)
{
    (void)state;
    static const char uci[] = "../shared/data/online-retail/online_retail.csv.gz";
    if (access(uci, R_OK) != 0) {
        print_message("skipped: no shared data\n");
        skip();
    }
    assert_int_equal(import(uci, &automatic), 0);
    const struct tally *lines = &report.counts.lines;
    assert_int_equal(lines->read, 541909);
    assert_int_equal(lines->read, lines->accepted + lines->replaced + lines->duplicate +
                                      lines->cancelled + lines->returned + lines->merged +
                                      lines->excluded + lines->rejected);
    int64_t orders = shopkit_count(&kit, "SELECT count(*) FROM orders");
    assert_int_equal(report.counts.orders.accepted, orders);
    assert_true(orders > 20000 && orders < 23000);
    char *before = shopkit_dump(&kit);
    assert_int_equal(import(uci, &automatic), 0);
    assert_int_equal(report.counts.orders.accepted + report.counts.orders.replaced, 0);
    char *after = shopkit_dump(&kit);
    assert_true(strcmp(before, after) == 0);
    free(before);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(many_batches_arrive_once_each),
        T(bytes_are_counted_while_a_file_is_read),
        T(made_order_ids_make_a_second_import_harmless),
        T(strict_writes_all_or_nothing),
        T(standard_input_is_read_and_can_be_strict),
        T(what_cannot_be_read_is_an_error),
        T(maps_and_filters_reach_the_reader),
        T(a_cancelled_import_stops),
        T(a_failed_allocation_loses_nothing_that_is_sent_again),
        T(uci_online_retail_is_accounted_for_to_the_line),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
