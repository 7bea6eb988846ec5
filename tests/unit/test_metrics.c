#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/metrics.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <stdlib.h>
#include <string.h>

static struct shopkit kit;
static const char *const routes[] = {"/recommend", "/rules"};

static int setup(void **state)
{
    (void)state;
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_SERVE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shopkit_close(&kit);
    return 0;
}

static char *text(void)
{
    struct buf out;
    buf_init(&out, 0);
    metrics_text(kit.shop, &out);
    assert_non_null(buf_cstr(&out));
    size_t length;
    return buf_detach(&out, &length);
}

static void assert_line(const char *all, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = strstr(all, line); at; at = strstr(at + 1, line))
        if ((at == all || at[-1] == '\n') && at[length] == '\n')
            return;
    fail_msg("no line '%s' in\n%s", line, all);
}

static void the_loops_are_summed(void **state)
{
    (void)state;
    struct metrics_loop *a = metrics_attach(kit.shop, routes, 2, NULL);
    struct metrics_loop *b = metrics_attach(kit.shop, routes, 2, NULL);
    metrics_request(a, 0, 0, 200, 400000);
    metrics_request(a, 0, 0, 200, 600000);
    metrics_request(b, 0, 0, 200, 3000000000u);
    metrics_request(b, 1, 1, 418, 1000000);
    metrics_in_flight(a, 1);
    metrics_in_flight(b, 1);
    metrics_in_flight(b, -1);
    metrics_connection(b, 1);
    metrics_recommendation(a, SURFACE_BASKET, FALLBACK_NONE, 10);
    metrics_recommendation(b, SURFACE_BASKET, FALLBACK_EMPTY_CONTEXT, 5);
    char *all = text();
    assert_line(all,
                "basketd_http_requests_total{route=\"/recommend\",method=\"GET\",code=\"200\"} 3");
    assert_line(all,
                "basketd_http_requests_total{route=\"/rules\",method=\"POST\",code=\"other\"} 1");
    assert_line(all, "basketd_http_request_duration_seconds_bucket{route=\"/recommend\","
                     "le=\"0.0005\"} 1");
    assert_line(all, "basketd_http_request_duration_seconds_bucket{route=\"/recommend\","
                     "le=\"0.001\"} 2");
    assert_line(all, "basketd_http_request_duration_seconds_bucket{route=\"/recommend\","
                     "le=\"1\"} 2");
    assert_line(all, "basketd_http_request_duration_seconds_bucket{route=\"/recommend\","
                     "le=\"+Inf\"} 3");
    assert_line(all, "basketd_http_request_duration_seconds_count{route=\"/recommend\"} 3");
    assert_line(all, "basketd_http_request_duration_seconds_sum{route=\"/recommend\"} 3.001000");
    assert_line(all, "basketd_http_in_flight_requests 1");
    assert_line(all, "basketd_http_connections 1");
    assert_line(all, "basketd_recommendations_total{surface=\"basket\"} 2");
    assert_line(all, "basketd_suggestions_total 15");
    free(all);
}

static void ingest_and_commits_are_counted(void **state)
{
    (void)state;
    const char *order = "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\n";
    assert_int_equal(shopkit_ingest(&kit, order, NULL), 0);
    assert_int_equal(shopkit_ingest(&kit, order, NULL), 0);
    char *all = text();
    assert_line(all, "basketd_records_ingested_total{result=\"accepted\"} 1");
    assert_line(all, "basketd_records_ingested_total{result=\"duplicate\"} 1");
    assert_line(all, "basketd_store_ops_total 2");
    assert_line(all, "basketd_store_commit_duration_seconds_count 2");
    assert_line(all, "basketd_store_writable 1");
    assert_line(all, "basketd_model_loaded 0");
    assert_line(all, "basketd_jobs_queued 0");
    free(all);
}

/* Text format 0.0.4: every line is a comment or name{labels} number; HELP and TYPE come before the
 * samples of their family and once. */
static void the_text_is_well_formed(void **state)
{
    (void)state;
    struct metrics_loop *loop = metrics_attach(kit.shop, routes, 2, NULL);
    metrics_request(loop, 1, 0, 200, 5);
    metrics_trained(kit.shop, true, 1.5);
    char *all = text(), *rest = all, *line;
    char type[128] = "";
    while ((line = strsep(&rest, "\n")) && *line) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            size_t length = strcspn(line + 7, " ");
            assert_true(length < sizeof type);
            memcpy(type, line + 7, length);
            type[length] = '\0';
        } else if (*line != '#') {
            assert_memory_equal(line, type, strlen(type));
            char *end, *value = strrchr(line, ' ');
            assert_non_null(value);
            strtod(value + 1, &end);
            assert_true(end != value + 1 && *end == '\0');
        }
    }
    assert_true(line && !*line && !rest); /* ends with a line feed */
    free(all);
}

static void attaching_without_memory_fails(void **state)
{
    (void)state;
    struct metrics_loop *loop = NULL;
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        loop = metrics_attach(kit.shop, routes, 2, &err);
        assert_int_equal(err.code, loop ? OK : ERR_NOMEM);
    }
    assert_non_null(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_loops_are_summed, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_and_commits_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_text_is_well_formed, setup, teardown),
        cmocka_unit_test_setup_teardown(attaching_without_memory_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
