#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assets.h"
#include "http/handlers.h"
#include "http/router.h"
#include "service/metrics.h"

#include <stdio.h>
#include <string.h>

static struct match find(enum method method, const char *path)
{
    struct match m;
    router_find(method, str_of(path), &m);
    return m;
}

static void paths_and_methods_choose_the_handler(void **state)
{
    (void)state;
    assert_true(find(METHOD_GET, "/recommend").route->handle == handle_recommend_get);
    assert_true(find(METHOD_HEAD, "/recommend").route->handle == handle_recommend_get);
    assert_true(find(METHOD_POST, "/recommend").route->handle == handle_recommend_post);
    assert_true(find(METHOD_PUT, "/models/live").route->handle == handle_model_activate);
    struct match one = find(METHOD_GET, "/items/a/b c");
    assert_true(one.route->handle == handle_item);
    assert_true(str_eq(one.argument, STR("a/b c")));
}

static void unknown_paths_have_no_path_and_unknown_methods_no_route(void **state)
{
    (void)state;
    static const char *const nowhere[] = {"/",      "",        "/recommend/",    "/items/",
                                          "/Items", "/itemsx", "/../etc/passwd", "/users"};
    uint32_t labels;
    const char *const *names = router_labels(&labels);
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        struct match m = find(METHOD_GET, nowhere[i]);
        assert_null(m.path);
        assert_null(m.route);
        assert_string_equal(names[m.label], "none");
    }
    struct match wrong = find(METHOD_DELETE, "/recommend");
    assert_non_null(wrong.path);
    assert_null(wrong.route);
    assert_null(find(METHOD_GET, "/models/live").route); /* not a model's number */
    assert_null(find(METHOD_OPTIONS, "/recommend").route);
    assert_null(find(METHOD_OTHER, "/recommend").route);
    assert_string_equal(names[router_nowhere().label], "none");
}

static void methods_are_known_by_their_exact_name(void **state)
{
    (void)state;
    assert_int_equal(method_parse(STR("GET")), METHOD_GET);
    assert_int_equal(method_parse(STR("OPTIONS")), METHOD_OPTIONS);
    assert_int_equal(method_parse(STR("HEAD")), METHOD_HEAD);
    assert_int_equal(method_parse(STR("get")), METHOD_OTHER);
    assert_int_equal(method_parse(STR("GE")), METHOD_OTHER);
    assert_int_equal(method_parse(STR("other")), METHOD_OTHER);
    assert_int_equal(METHOD_OTHER + 1, METRICS_METHODS);
}

static void allow_lists_what_a_path_has(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 0);
    router_allow(find(METHOD_GET, "/items/x").path, &out);
    assert_string_equal(buf_cstr(&out), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    buf_clear(&out);
    router_allow(find(METHOD_GET, "/ingest").path, &out);
    assert_string_equal(buf_cstr(&out), "POST, OPTIONS");
    buf_deinit(&out);
}

static void the_table_is_sound(void **state)
{
    (void)state;
    uint32_t count, labels;
    const struct path *paths = router_paths(&count);
    const char *const *names = router_labels(&labels);
    assert_int_equal(labels, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(names[i], paths[i].pattern);
        bool any = false;
        for (int m = 0; m < METHOD_ROUTED; m++) {
            const struct route *route = &paths[i].routes[m];
            any |= route->handle != NULL;
            assert_int_equal(route->body == BODY_STREAM, route->begin && route->feed);
            assert_true(!route->json || route->body == BODY_JSON);
            assert_true(m != METHOD_GET || route->body == BODY_NONE);
        }
        assert_true(any);
    }
}

/* The lines of `text` that follow `heading` and are indented more than it. */
static struct str block(struct str text, const char *heading)
{
    char line[128];
    size_t indent = strspn(heading, " ");
    int length = snprintf(line, sizeof line, "\n%s", heading);
    const char *at = memmem(text.ptr, text.len, line, (size_t)length);
    if (!at)
        return STR_NONE;
    const char *end = text.ptr + text.len, *start = memchr(at + 1, '\n', (size_t)(end - at - 1));
    const char *stop = start;
    while (stop && stop + 1 < end) {
        size_t spaces = 0;
        while (stop + 1 + spaces < end && stop[1 + spaces] == ' ')
            spaces++;
        if (spaces <= indent && stop[1 + spaces] != '\n')
            break;
        stop = memchr(stop + 1, '\n', (size_t)(end - stop - 1));
    }
    return (struct str){start, (size_t)((stop ? stop + 1 : end) - start)};
}

/* As "name: limit" or by reference. */
static bool has_parameter(struct str text, const char *name)
{
    char needles[3][96];
    snprintf(needles[0], sizeof needles[0], "name: %s\n", name);
    snprintf(needles[1], sizeof needles[1], "name: %s,", name);
    snprintf(needles[2], sizeof needles[2], "parameters/%s'", name);
    for (size_t i = 0; i < 3; i++)
        if (memmem(text.ptr, text.len, needles[i], strlen(needles[i])))
            return true;
    return false;
}

static void the_contract_has_every_path_method_and_parameter(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "    get:", "    post:", "    put:", "    patch:", "    delete:"};
    uint32_t count;
    const struct path *paths = router_paths(&count);
    struct str text = assets_find("openapi.yaml")->content;
    for (uint32_t i = 0; i < count; i++) {
        char heading[64];
        snprintf(heading, sizeof heading, "  %s:\n", paths[i].pattern);
        struct str path = block(text, heading);
        assert_non_null(path.ptr);
        path.ptr--; /* the line's end, so that a heading may come first */
        path.len++;
        for (int m = 0; m < METHOD_ROUTED; m++) {
            const struct route *route = &paths[i].routes[m];
            struct str operation = block(path, methods[m]);
            assert_true((operation.ptr != NULL) == (route->handle != NULL));
            for (const struct field *f = route->params; f && f->name; f++) {
                if (has_parameter(operation, f->name) == (f->kind == FIELD_REFUSED))
                    fail_msg("%s: %s", paths[i].pattern, f->name);
            }
        }
    }
}

static void expect_properties(struct str schema, const char *indent, const struct field *table)
{
    for (const struct field *f = table; f->name; f++) {
        char needle[96];
        int length = snprintf(needle, sizeof needle, "\n%s%s:", indent, f->name);
        bool found = memmem(schema.ptr, schema.len, needle, (size_t)length) != NULL;
        if (found == (f->kind == FIELD_REFUSED))
            fail_msg("property %s", f->name);
        char deeper[32];
        snprintf(deeper, sizeof deeper, "%s    ", indent);
        if (f->inner)
            expect_properties(schema, deeper, f->inner);
    }
}

static void the_contract_has_every_field_of_a_question(void **state)
{
    (void)state;
    struct match m = find(METHOD_POST, "/recommend");
    struct str schema = block(assets_find("openapi.yaml")->content, "    Question:");
    assert_non_null(schema.ptr);
    expect_properties(schema, "        ", m.route->json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods_choose_the_handler),
        cmocka_unit_test(unknown_paths_have_no_path_and_unknown_methods_no_route),
        cmocka_unit_test(methods_are_known_by_their_exact_name),
        cmocka_unit_test(allow_lists_what_a_path_has),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(the_contract_has_every_path_method_and_parameter),
        cmocka_unit_test(the_contract_has_every_field_of_a_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
