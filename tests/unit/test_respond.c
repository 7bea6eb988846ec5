#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/respond.h"
#include "support/oom.h"

#include <jansson.h>
#include <string.h>

static void begin(struct request *r)
{
    request_init(r, NULL);
    memcpy(r->id, "id-1", 5);
    r->target = STR("/recommend?limit=x");
}

/* The member `name` of the problem in r->out as a string. */
static json_t *parse(struct request *r)
{
    json_error_t why;
    json_t *root = json_loadb(r->out.ptr, r->out.len, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        fail_msg("%s: %.*s", why.text, (int)r->out.len, r->out.ptr);
    return root;
}

static const char *member(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text ? text : "";
}

static void a_problem_has_every_member_of_the_rfc(void **state)
{
    (void)state;
    struct request r;
    begin(&r);
    assert_int_equal(respond_problem(&r, 404, "no such %s", "thing"), 404);
    json_t *root = parse(&r);
    assert_string_equal(member(root, "type"), "about:blank");
    assert_string_equal(member(root, "title"), "Not Found");
    assert_string_equal(member(root, "detail"), "no such thing");
    assert_string_equal(member(root, "instance"), "/recommend");
    assert_string_equal(member(root, "request_id"), "id-1");
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 404);
    assert_null(json_object_get(root, "errors"));
    assert_string_equal(r.content_type, "application/problem+json");
    json_decref(root);
    request_deinit(&r);
}

static void a_problem_replaces_a_half_written_answer(void **state)
{
    (void)state;
    struct request r;
    begin(&r);
    buf_text(&r.out, "{\"half\":");
    memcpy(r.etag, "\"x\"", 4);
    respond_problem(&r, 503, "x");
    json_decref(parse(&r));
    assert_string_equal(r.etag, "");
    assert_string_equal(r.fields[0].name, "Retry-After");
    request_deinit(&r);
}

static void every_error_code_has_its_status(void **state)
{
    (void)state;
    static const struct {
        enum err code;
        int status;
    } cases[] = {{OK, 200},
                 {ERR_NOMEM, 503},
                 {ERR_INVALID, 400},
                 {ERR_NOT_FOUND, 404},
                 {ERR_CONFLICT, 409},
                 {ERR_TOO_LARGE, 413},
                 {ERR_LIMIT, 503},
                 {ERR_NOT_READY, 503},
                 {ERR_CANCELLED, 503},
                 {ERR_CORRUPT, 500},
                 {ERR_IO, 500},
                 {ERR_DB, 500},
                 {ERR_FULL, 507},
                 {ERR_INTERNAL, 500}};
    assert_int_equal(sizeof cases / sizeof cases[0], ERR_COUNT + 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(respond_status(cases[i].code), cases[i].status);
        assert_string_not_equal(respond_title(cases[i].status), "Error");
    }
}

static void several_problems_are_all_listed(void **state)
{
    (void)state;
    struct request r;
    struct place limit = {.name = STR("limit"), .parameter = true};
    struct place price = {.name = STR("price")};
    begin(&r);
    problems_add(&r.problems, &limit, "too small");
    assert_int_equal(respond_problems(&r), 400);
    json_t *root = parse(&r);
    assert_string_equal(member(root, "detail"), "limit: too small");
    json_decref(root);
    problems_add(&r.problems, &price, "missing");
    respond_problems(&r);
    root = parse(&r);
    assert_string_equal(member(root, "detail"), "2 fields or parameters are wrong");
    json_t *errors = json_object_get(root, "errors");
    assert_int_equal(json_array_size(errors), 2);
    assert_string_equal(member(json_array_get(errors, 0), "parameter"), "limit");
    assert_string_equal(member(json_array_get(errors, 1), "pointer"), "/price");
    json_decref(root);
    request_deinit(&r);
}

static void bytes_that_are_no_utf8_do_not_break_the_answer(void **state)
{
    (void)state;
    struct request r;
    struct error err = {.code = ERR_INVALID, .text = "near '\xff\xc3'"};
    begin(&r);
    assert_int_equal(respond_error(&r, &err), 400);
    json_t *root = parse(&r);
    assert_string_equal(member(root, "detail"), "near '?"
                                                "?'");
    json_decref(root);
    request_deinit(&r);
}

static int tagged(struct request *r, const char *if_none_match, bool weak)
{
    begin(r);
    buf_text(&r->out, "{\"a\":1}");
    if (if_none_match)
        r->head.value[HEAD_IF_NONE_MATCH] = str_of(if_none_match);
    return respond_tagged(r, (struct str){r->out.ptr, r->out.len}, weak);
}

static void a_tag_that_the_client_has_is_not_modified(void **state)
{
    (void)state;
    struct request r;
    char tag[REQUEST_ETAG_BYTES], list[3 * REQUEST_ETAG_BYTES];
    assert_int_equal(tagged(&r, NULL, false), 200);
    memcpy(tag, r.etag, sizeof tag);
    assert_true(tag[0] == '"' && strlen(tag) == 26);
    request_deinit(&r);
    static const char *const formats[] = {"%s", "W/%s", "\"x\" , %s", "*"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct buf text;
        buf_init(&text, 0);
        struct str before = str_of(formats[i]);
        const char *place = strstr(formats[i], "%s");
        buf_add(&text, before.ptr, place ? (size_t)(place - before.ptr) : before.len);
        buf_text(&text, place ? tag : "");
        memcpy(list, buf_cstr(&text), text.len + 1);
        buf_deinit(&text);
        assert_int_equal(tagged(&r, list, false), 304);
        assert_int_equal(r.out.len, 0);
        assert_string_equal(r.etag, tag);
        request_deinit(&r);
    }
    static const char *const others[] = {"", "\"x\"", "x", "\"x\",", "W/\"*\""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(tagged(&r, others[i], false), 200);
        assert_int_equal(r.out.len, 7);
        request_deinit(&r);
    }
    assert_int_equal(tagged(&r, tag, true), 304);
    assert_int_equal(strncmp(r.etag, "W/\"", 3), 0);
    request_deinit(&r);
}

static void a_request_can_be_used_again(void **state)
{
    (void)state;
    struct request r;
    begin(&r);
    respond_field(&r, "A", "b");
    respond_location(&r, "/jobs/", 7);
    assert_string_equal(r.fields[1].value, "/jobs/7");
    respond_problem(&r, 400, "x");
    r.status = 400;
    request_reset(&r);
    assert_int_equal(r.status, 0);
    assert_int_equal(r.field_count, 0);
    assert_int_equal(r.out.len, 0);
    assert_null(r.target.ptr);
    assert_string_equal(r.content_type, "application/json");
    request_deinit(&r);
}

static void running_out_of_memory_is_kept_for_the_end(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct request r;
        begin(&r);
        respond_problem_with(&r, 422, STR("\"errors\":[]"), "x");
        assert_int_equal(r.out.failed, oom_fired());
        request_deinit(&r);
    }
    OOM_LOOP
    {
        struct request r;
        begin(&r);
        respond_copied(&r, "A", STR("b"));
        assert_int_equal(r.out.failed, oom_fired());
        assert_int_equal(r.field_count, !oom_fired());
        request_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_has_every_member_of_the_rfc),
        cmocka_unit_test(a_problem_replaces_a_half_written_answer),
        cmocka_unit_test(every_error_code_has_its_status),
        cmocka_unit_test(several_problems_are_all_listed),
        cmocka_unit_test(bytes_that_are_no_utf8_do_not_break_the_answer),
        cmocka_unit_test(a_tag_that_the_client_has_is_not_modified),
        cmocka_unit_test(a_request_can_be_used_again),
        cmocka_unit_test(running_out_of_memory_is_kept_for_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
