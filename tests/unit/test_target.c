#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/target.h"
#include "support/oom.h"

#include <string.h>

struct parsed {
    struct arena arena;
    struct str path;
    struct params params;
    struct error err;
    int rc;
};

static void parse(struct parsed *p, const char *target)
{
    memset(p, 0, sizeof *p);
    arena_init(&p->arena);
    p->rc = target_parse(str_of(target), &p->arena, &p->path, &p->params, &p->err);
}

static void expect_param(const struct parsed *p, uint32_t i, const char *name, const char *value)
{
    assert_true(i < p->params.count);
    assert_true(str_eq(p->params.at[i].name, str_of(name)));
    assert_true(str_eq(p->params.at[i].value, str_of(value)));
    assert_null(p->params.at[i].fault);
}

static void paths_and_parameters_are_decoded(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "/items/a%2Fb+c%20%C3%A9?items=a%2Cb,c&q=x+y%2B&verbose&&e=&f=g=h");
    assert_int_equal(p.rc, 0);
    assert_true(str_eq(p.path, STR("/items/a/b+c \xc3\xa9")));
    assert_int_equal(p.params.count, 5);
    expect_param(&p, 0, "items", "a,b,c");
    expect_param(&p, 1, "q", "x y+");
    expect_param(&p, 2, "verbose", "");
    expect_param(&p, 3, "e", "");
    expect_param(&p, 4, "f", "g=h");
    arena_deinit(&p.arena);
}

static void a_target_without_a_query_has_no_parameters(void **state)
{
    (void)state;
    struct parsed p;
    static const char *const targets[] = {"/", "/?", "/a?&&"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        parse(&p, targets[i]);
        assert_int_equal(p.rc, 0);
        assert_int_equal(p.params.count, 0);
        arena_deinit(&p.arena);
    }
}

static void bad_values_are_faults_of_their_parameter(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, "/a?x=%ff&y=%4&z=%zz&ok=1");
    assert_int_equal(p.rc, 0);
    assert_int_equal(p.params.count, 4);
    assert_string_equal(p.params.at[0].fault, "is not UTF-8");
    assert_string_equal(p.params.at[1].fault, "has a % without two hex digits");
    assert_non_null(p.params.at[2].fault);
    assert_int_equal(p.params.at[0].value.len, 0);
    expect_param(&p, 3, "ok", "1");
    arena_deinit(&p.arena);
}

static void bad_paths_and_names_are_errors(void **state)
{
    (void)state;
    static const char *const targets[] = {"/%ff", "/%", "/%4", "/a?%ff=1", "/a?%g0"};
    struct parsed p;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        parse(&p, targets[i]);
        assert_int_equal(p.rc, ERR_INVALID);
        assert_int_equal(p.err.code, ERR_INVALID);
        arena_deinit(&p.arena);
    }
}

static void parameters_are_bounded(void **state)
{
    (void)state;
    struct parsed p;
    char target[4 * TARGET_PARAMS_MAX + 16] = "/?a";
    for (int i = 1; i < TARGET_PARAMS_MAX; i++)
        memcpy(target + strlen(target), "&a", 3);
    parse(&p, target);
    assert_int_equal(p.rc, 0);
    assert_int_equal(p.params.count, TARGET_PARAMS_MAX);
    arena_deinit(&p.arena);
    memcpy(target + strlen(target), "&a", 3);
    parse(&p, target);
    assert_int_equal(p.rc, ERR_INVALID);
    arena_deinit(&p.arena);
}

static void running_out_of_memory_is_said(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct parsed p;
        parse(&p, "/a?b=c&d=e");
        assert_int_equal(p.rc, oom_fired() ? ERR_NOMEM : 0);
        arena_deinit(&p.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_parameters_are_decoded),
        cmocka_unit_test(a_target_without_a_query_has_no_parameters),
        cmocka_unit_test(bad_values_are_faults_of_their_parameter),
        cmocka_unit_test(bad_paths_and_names_are_errors),
        cmocka_unit_test(parameters_are_bounded),
        cmocka_unit_test(running_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
