#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/fields.h"
#include "support/oom.h"

#include <math.h>
#include <string.h>

struct input {
    bool flag;
    uint32_t count;
    int64_t key, money;
    double number;
    struct str text, id;
    struct str_list ids, texts;
    int choice;
    struct attribute_list attributes;
};

static int parse_choice(struct str text)
{
    if (str_eq(text, STR("one")))
        return 1;
    return str_eq(text, STR("two")) ? 2 : -1;
}

#define AT(member) offsetof(struct input, member)
static const struct field inner[] = {{.name = "money", .kind = FIELD_MONEY, .offset = AT(money)},
                                     {.name = NULL}};
static const struct field table[] = {
    {.name = "flag", .kind = FIELD_FLAG, .offset = AT(flag)},
    {.name = "count", .kind = FIELD_COUNT, .offset = AT(count), .min = 1, .max = 500},
    {.name = "key", .kind = FIELD_KEY, .offset = AT(key)},
    {.name = "money", .kind = FIELD_MONEY, .offset = AT(money)},
    {.name = "number", .kind = FIELD_NUMBER, .offset = AT(number), .min = 0, .max = 1},
    {.name = "text", .kind = FIELD_TEXT, .offset = AT(text), .max = 4},
    {.name = "id", .kind = FIELD_ID, .offset = AT(id)},
    {.name = "ids", .kind = FIELD_IDS, .offset = AT(ids), .max = 3},
    {.name = "texts", .kind = FIELD_TEXTS, .offset = AT(texts), .max = 3},
    {.name = "choice",
     .kind = FIELD_CHOICE,
     .offset = AT(choice),
     .choice = parse_choice,
     .note = "one, two"},
    {.name = "attributes", .kind = FIELD_ATTRIBUTES, .offset = AT(attributes), .max = 4},
    {.name = "inner", .kind = FIELD_OBJECT, .inner = inner, .note = "only in a body"},
    {.name = "later", .kind = FIELD_REFUSED, .note = "not yet"},
    {.name = NULL},
};

struct decoded {
    struct arena arena;
    struct problems problems;
    struct input in;
    struct error err;
    int rc;
};

static void start(struct decoded *d)
{
    memset(d, 0, sizeof *d);
    arena_init(&d->arena);
    problems_init(&d->problems, &d->arena);
}

static void params(struct decoded *d, const char *query)
{
    struct str path;
    struct params given;
    start(d);
    d->rc = target_parse(str_of(query), &d->arena, &path, &given, &d->err);
    if (d->rc == 0)
        fields_from_params(table, &given, &d->in, &d->problems);
}

static void json(struct decoded *d, const char *body)
{
    start(d);
    d->rc = fields_from_json(table, str_of(body), &d->in, &d->problems, &d->err);
}

static void expect_values(const struct decoded *d)
{
    const struct input *in = &d->in;
    assert_int_equal(d->rc, 0);
    if (d->problems.total)
        fail_msg("%.*s: %.*s", STR_ARG(d->problems.at[0].where), STR_ARG(d->problems.at[0].detail));
    assert_true(in->flag);
    assert_int_equal(in->count, 500);
    assert_int_equal(in->key, 17);
    assert_int_equal(in->money, 1250);
    assert_true(in->number == 0.25);
    assert_true(str_eq(in->text, STR("abcd")));
    assert_true(str_eq(in->id, STR("sku-1")));
    assert_int_equal(in->ids.count, 2);
    assert_true(str_eq(in->ids.at[1], STR("b")));
    assert_int_equal(in->texts.count, 1);
    assert_true(str_eq(in->texts.at[0], STR("x y")));
    assert_int_equal(in->choice, 2);
    assert_int_equal(in->attributes.count, 2);
    assert_true(str_eq(in->attributes.at[0].key, STR("brand")));
    assert_int_equal(in->attributes.at[0].values.count, 2);
    assert_true(str_eq(in->attributes.at[0].values.at[1], STR("Y")));
    assert_true(str_eq(in->attributes.at[1].key, STR("colour")));
    assert_true(str_eq(in->attributes.at[1].values.at[0], STR("red")));
}

static const char good_query[] = "/?flag=true&count=500&key=17&money=12.50&number=0.25&text=abcd"
                                 "&id=sku-1&ids=a,b&texts=x+y&choice=two"
                                 "&attributes=brand:X,colour:red,brand:Y";
static const char good_body[] =
    "{\"flag\":true,\"count\":500,\"key\":17,\"inner\":{\"money\":12.5},\"number\":0.25,"
    "\"text\":\"abcd\",\"id\":\"sku-1\",\"ids\":[\"a\",\"b\"],\"texts\":[\"x y\"],"
    "\"choice\":\"two\",\"attributes\":{\"brand\":[\"X\",\"Y\"],\"colour\":\"red\"}}";

static void parameters_and_a_body_fill_the_same_struct(void **state)
{
    (void)state;
    struct decoded d;
    params(&d, good_query);
    expect_values(&d);
    arena_deinit(&d.arena);
    json(&d, good_body);
    expect_values(&d);
    arena_deinit(&d.arena);
}

static void fields_not_given_stay_as_they_were(void **state)
{
    (void)state;
    struct decoded d;
    struct params none = {.at = NULL};
    start(&d);
    d.in.count = 7;
    fields_from_params(table, &none, &d.in, &d.problems);
    assert_int_equal(fields_from_json(table, STR("{}"), &d.in, &d.problems, &d.err), 0);
    assert_int_equal(d.in.count, 7);
    assert_int_equal(d.problems.total, 0);
    arena_deinit(&d.arena);
}

static void bad_parameters_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *query, *where, *detail;
    } cases[] = {
        {"/?flag=yes", "flag", "expected true or false, got 'yes'"},
        {"/?flag", "flag", "expected true or false, got ''"},
        {"/?count=0", "count", "expected a whole number from 1 to 500, got '0'"},
        {"/?count=501", "count", "expected a whole number from 1 to 500, got '501'"},
        {"/?count=+5", "count", "expected a whole number from 1 to 500, got ' 5'"},
        {"/?count=1e2", "count", "expected a whole number from 1 to 500, got '1e2'"},
        {"/?key=0", "key", "expected a whole number from 1, got '0'"},
        {"/?money=-1", "money", "expected an amount such as 12.50, got '-1'"},
        {"/?money=1,5", "money", "expected an amount such as 12.50, got '1,5'"},
        {"/?number=1.5", "number", "expected a number from 0 to 1, got '1.5'"},
        {"/?number=nan", "number", "expected a number from 0 to 1, got 'nan'"},
        {"/?text=abcde", "text", "longer than 4 bytes"},
        {"/?id=", "id", "the id is empty"},
        {"/?ids=a,,b", "ids", "the id is empty"},
        {"/?ids=a,b,c,d", "ids", "expected at most 3 entries, got 4"},
        {"/?texts=a,", "texts", "an entry is empty"},
        {"/?choice=three", "choice", "expected one of one, two, got 'three'"},
        {"/?attributes=brand", "attributes", "expected key:value, got 'brand'"},
        {"/?attributes=:x", "attributes", "expected key:value, got ''"},
        {"/?attributes=a:1,a:2,a:3,a:4,a:5", "attributes", "expected at most 4 values, got 5"},
        {"/?later=1", "later", "not yet"},
        {"/?inner=1", "inner", "only in a body"},
        {"/?colour=red", "colour", "unknown parameter"},
        {"/?count=1&count=1", "count", "given more than once"},
        {"/?text=%ff", "text", "is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decoded d;
        params(&d, cases[i].query);
        assert_int_equal(d.problems.count, 1);
        assert_true(d.problems.at[0].parameter);
        assert_string_equal(d.problems.at[0].where.ptr, cases[i].where);
        assert_string_equal(d.problems.at[0].detail.ptr, cases[i].detail);
        arena_deinit(&d.arena);
    }
}

static void bad_fields_are_pointed_at(void **state)
{
    (void)state;
    static const struct {
        const char *body, *where, *detail;
    } cases[] = {
        {"{\"flag\":1}", "/flag", "expected true or false, got a number"},
        {"{\"count\":0}", "/count", "expected a whole number from 1 to 500, got 0"},
        {"{\"count\":1.0}", "/count", "expected a whole number, got a number"},
        {"{\"count\":\"1\"}", "/count", "expected a whole number, got a string"},
        {"{\"key\":0}", "/key", "expected a whole number from 1, got a number"},
        {"{\"number\":2}", "/number", "expected a number from 0 to 1, got 2"},
        {"{\"number\":null}", "/number", "expected a number, got null"},
        {"{\"text\":\"abcde\"}", "/text", "longer than 4 bytes"},
        {"{\"id\":\"\"}", "/id", "the id is empty"},
        {"{\"ids\":\"a\"}", "/ids", "expected an array of strings, got a string"},
        {"{\"ids\":[\"a\",\"b\",\"c\",\"d\"]}", "/ids", "expected at most 3 entries, got 4"},
        {"{\"ids\":[\"a\",1]}", "/ids/1", "expected a string, got a number"},
        {"{\"ids\":[\"a\",\"\"]}", "/ids/1", "the id is empty"},
        {"{\"texts\":[\"\"]}", "/texts/0", "the text is empty"},
        {"{\"choice\":\"x\"}", "/choice", "expected one of one, two, got 'x'"},
        {"{\"choice\":1}", "/choice", "expected a string, got a number"},
        {"{\"attributes\":[]}", "/attributes", "expected an object of at most 4 members"},
        {"{\"attributes\":{\"a/b~\":1}}", "/attributes/a~1b~0",
         "expected a string or an array of strings, got a number"},
        {"{\"attributes\":{\"a\":[2]}}", "/attributes/a/0", "expected a string, got a number"},
        {"{\"inner\":1}", "/inner", "expected an object, got a number"},
        {"{\"inner\":{\"money\":-1}}", "/inner/money", "expected an amount from 0, got -1"},
        {"{\"inner\":{\"money\":\"1\"}}", "/inner/money", "expected an amount, got a string"},
        {"{\"inner\":{\"x\":1}}", "/inner/x", "unknown field"},
        {"{\"later\":1}", "/later", "not yet"},
        {"{\"colour\":1}", "/colour", "unknown field"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decoded d;
        json(&d, cases[i].body);
        assert_int_equal(d.rc, 0);
        assert_int_equal(d.problems.count, 1);
        assert_false(d.problems.at[0].parameter);
        assert_string_equal(d.problems.at[0].where.ptr, cases[i].where);
        assert_string_equal(d.problems.at[0].detail.ptr, cases[i].detail);
        arena_deinit(&d.arena);
    }
}

static void what_is_no_object_is_an_error(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "1",
                                         "{}x",
                                         "{\"a\":1,\"a\":1}",
                                         "{\"id\":\"\xff\"}",
                                         "{\"id\":\"\\u0000\"}",
                                         "{\"number\":1e999}",
                                         "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct decoded d;
        json(&d, bodies[i]);
        assert_int_equal(d.rc, ERR_INVALID);
        assert_int_equal(strncmp(d.err.text, "body: ", 6), 0);
        arena_deinit(&d.arena);
    }
}

static void deep_nesting_is_an_error(void **state)
{
    (void)state;
    static char body[60000];
    struct decoded d;
    memset(body, '[', sizeof body - 1);
    json(&d, body);
    assert_int_equal(d.rc, ERR_INVALID);
    arena_deinit(&d.arena);
}

static void required_fields_are_missed(void **state)
{
    (void)state;
    static const struct field required[] = {
        {.name = "id", .kind = FIELD_KEY, .offset = AT(key), .required = true}, {.name = NULL}};
    struct decoded d;
    start(&d);
    assert_int_equal(fields_from_json(required, STR("{}"), &d.in, &d.problems, &d.err), 0);
    assert_int_equal(d.problems.count, 1);
    assert_string_equal(d.problems.at[0].where.ptr, "/id");
    assert_string_equal(d.problems.at[0].detail.ptr, "missing");
    arena_deinit(&d.arena);
}

static void every_problem_is_counted_and_the_first_are_kept(void **state)
{
    (void)state;
    struct decoded d;
    struct buf out;
    params(&d, "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v");
    assert_int_equal(d.problems.total, 22);
    assert_int_equal(d.problems.count, PROBLEMS_MAX);
    arena_deinit(&d.arena);
    params(&d, "/?a=1&count=x");
    buf_init(&out, 0);
    problems_json(&d.problems, &out);
    assert_string_equal(buf_cstr(&out),
                        "[{\"detail\":\"unknown parameter\",\"parameter\":\"a\"},"
                        "{\"detail\":\"expected a whole number from 1 to 500, got 'x'\","
                        "\"parameter\":\"count\"}]");
    buf_deinit(&out);
    arena_deinit(&d.arena);
}

static void long_quotes_are_cut_between_characters(void **state)
{
    (void)state;
    struct arena arena;
    struct problems problems;
    char text[601] = "";
    for (int i = 0; i < 300; i++)
        memcpy(text + strlen(text), "\xc3\xa9", 3);
    arena_init(&arena);
    problems_init(&problems, &arena);
    problems_add(&problems, NULL, "x%s", text);
    assert_true(utf8_valid(problems.at[0].detail));
    assert_true(problems.at[0].detail.len > 500);
    assert_int_equal(problems.at[0].where.len, 0);
    arena_deinit(&arena);
}

static void running_out_of_memory_is_said(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct decoded d;
        params(&d, good_query);
        if (oom_fired())
            assert_true(d.rc == ERR_NOMEM || d.problems.no_memory);
        else
            expect_values(&d);
        arena_deinit(&d.arena);
    }
    OOM_LOOP
    {
        struct decoded d;
        json(&d, good_body);
        if (oom_fired())
            assert_true(d.rc == ERR_NOMEM || d.problems.no_memory);
        else
            expect_values(&d);
        arena_deinit(&d.arena);
    }
    OOM_LOOP
    {
        struct decoded d;
        json(&d, "{\"ids\":[1]}");
        if (oom_fired())
            assert_true(d.rc == ERR_NOMEM || d.problems.no_memory);
        else
            assert_int_equal(d.problems.count, 1);
        arena_deinit(&d.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_and_a_body_fill_the_same_struct),
        cmocka_unit_test(fields_not_given_stay_as_they_were),
        cmocka_unit_test(bad_parameters_are_named),
        cmocka_unit_test(bad_fields_are_pointed_at),
        cmocka_unit_test(what_is_no_object_is_an_error),
        cmocka_unit_test(deep_nesting_is_an_error),
        cmocka_unit_test(required_fields_are_missed),
        cmocka_unit_test(every_problem_is_counted_and_the_first_are_kept),
        cmocka_unit_test(long_quotes_are_cut_between_characters),
        cmocka_unit_test(running_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
