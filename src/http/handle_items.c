/* The catalogue. Reads come from memory under the read lock; writes are records like any other:
 * the body is handed to the ingest reader with its id put in, so that there is one judge of what an
 * item may be, and the answer comes after the commit, when the live catalogue has the change. */
#include "http/handlers.h"

#include "http/cursor.h"
#include "http/encode.h"
#include "http/loop.h"
#include "http/question.h"
#include "http/respond.h"

#include <jansson.h>
#include <string.h>

/* Items looked at for one page, so that a filter few items pass does not hold the loop. */
#define SCAN_MAX 20000u

struct items_input {
    struct filter_input filter;
    struct str cursor;
    uint32_t limit;
};

/* clang-format off: a table reads best as one */
#define AT(member) offsetof(struct items_input, member)
const struct field items_params[] = {
    FILTER_PARAMS(AT(filter)),
    {.name = "limit",
     .kind = FIELD_COUNT,
     .offset = AT(limit),
     .min = 1,
     .max = LIMIT_ANSWER_ITEMS},
    {.name = "cursor", .kind = FIELD_TEXT, .offset = AT(cursor), .max = 64},
    {.name = NULL},
};
/* clang-format on */

/* Appends one page from slot `from` on; returns the slot of the next page, 0: no more. */
static uint32_t write_page(const struct catalog *c, const struct filter *filter, uint32_t from,
                           uint32_t limit, struct buf *out)
{
    uint32_t written = 0, slot = from;
    for (; slot < c->count && slot - from < SCAN_MAX && written < limit; slot++) {
        const struct catalog_item *item = catalog_at(c, slot);
        if (!item || filter_item(filter, item) != DROP_COUNT)
            continue;
        if (written++)
            buf_char(out, ',');
        encode_item(item, out);
    }
    return slot < c->count ? slot : 0;
}

static int answer_list(struct request *r, const struct items_input *in)
{
    struct filter filter;
    struct error err = ERROR_INIT;
    struct shop *shop = r->loop->shop;
    struct cursor_word word = {.question = cursor_question(&r->params), .position = 1};
    if (in->cursor.len && cursor_read(in->cursor, &word, &err) != 0)
        return respond_parameter(r, 400, "cursor", &err);
    if (!filter_input_make(&in->filter, &r->arena, &filter))
        return respond_problem(r, 503, "out of memory");
    uint32_t from = word.position < UINT32_MAX ? (uint32_t)word.position : UINT32_MAX;
    buf_text(&r->out, "{\"items\":[");
    pthread_rwlock_rdlock(&shop->memory_lock);
    word.position = write_page(&shop->catalog, &filter, from, in->limit, &r->out);
    pthread_rwlock_unlock(&shop->memory_lock);
    buf_text(&r->out, "],\"next\":");
    if (word.position)
        cursor_write(&word, &r->out);
    else
        buf_text(&r->out, "null");
    buf_char(&r->out, '}');
    return respond_tagged(r, (struct str){r->out.ptr, r->out.len}, false);
}

int handle_items(struct request *r)
{
    struct items_input in = {.limit = 50};
    filter_input_init(&in.filter);
    int status = request_params(r, &in);
    return status ? status : answer_list(r, &in);
}

/* Appends the item of the path; false: there is none. */
static bool write_item(struct request *r)
{
    struct shop *shop = r->loop->shop;
    pthread_rwlock_rdlock(&shop->memory_lock);
    const struct catalog *c = &shop->catalog;
    uint32_t slot = catalog_find(c, r->match.argument);
    const struct catalog_item *item = slot == CATALOG_NONE ? NULL : catalog_at(c, slot);
    if (item)
        encode_item(item, &r->out);
    pthread_rwlock_unlock(&shop->memory_lock);
    return item != NULL;
}

int handle_item(struct request *r)
{
    int status = request_external_id(r);
    if (status)
        return status;
    if (!write_item(r))
        return respond_problem(r, 404, "no such item");
    return respond_tagged(r, (struct str){r->out.ptr, r->out.len}, false);
}

/* What the reader found wrong, as pointers into the body. */
static int refuse(struct request *r)
{
    const struct ingest_report *report = &r->ingest->report;
    for (uint32_t i = 0; i < report->problem_count; i++) {
        const struct ingest_problem *p = &report->problems[i];
        struct place place = {.name = p->field};
        problems_add(&r->problems, p->field.len ? &place : NULL, "%.*s", STR_ARG(p->reason));
    }
    return respond_problems(r);
}

static int item_written(struct request *r)
{
    struct ingest_op *op = r->ingest;
    if (op->op.result != 0)
        return respond_error(r, &op->op.err);
    if (!write_item(r))
        return respond_problem(r, 404, "the item was deleted meanwhile");
    return op->counts.items.accepted ? 201 : 200;
}

static void item_done(struct op *op)
{
    loop_post(((struct ingest_op *)op)->context);
}

/* The body must be an object without duplicate keys that does not name another item. Writes it with
 * the id put in. 0, or a status. */
static int make_record(struct request *r, struct buf *record)
{
    struct str body = {r->body.ptr, r->body.len};
    json_error_t why;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return respond_problem(r, 400, "body: line %d, column %d: %s", why.line, why.column,
                               why.text);
    const json_t *id = json_object_get(root, "item_id");
    bool object = json_is_object(root), kind = json_object_get(root, "kind") != NULL;
    bool named = id != NULL, empty = json_object_size(root) == 0;
    struct str text = {json_string_value(id), json_string_length(id)};
    bool other = named && !(json_is_string(id) && str_eq(text, r->match.argument));
    json_decref(root);
    struct place place = {.name = kind ? STR("kind") : STR("item_id")};
    if (!object)
        return respond_problem(r, 400, "body: expected an object");
    if (kind || other) {
        problems_add(&r->problems, &place, kind ? "unknown field" : "differs from the path's");
        return respond_problems(r);
    }
    const char *brace = memchr(body.ptr, '{', body.len);
    buf_text(record, "{\"kind\":\"item\"");
    if (!named) {
        buf_text(record, ",\"item_id\":");
        buf_json_str(record, r->match.argument);
    }
    buf_text(record, empty ? "" : ",");
    buf_add(record, brace + 1, body.len - (size_t)(brace + 1 - body.ptr));
    return 0;
}

static int submit(struct request *r, struct str record)
{
    static const struct import_request how = {.format = FORMAT_JSON, .coding = CODING_IDENTITY};
    struct error err = ERROR_INIT;
    r->ingest = ingest_op_new(item_done, &err);
    if (!r->ingest || ingest_op_open(r->ingest, r->loop->shop, &how, &err) != 0 ||
        ingest_op_feed(r->ingest, record, &err) != 0 || ingest_op_finish(r->ingest, &err) != 0)
        return respond_error(r, &err);
    if (r->ingest->report.problem_total || ingest_op_records(r->ingest) == 0)
        return refuse(r);
    r->ingest->context = r;
    r->ingest->replace_items = r->method == METHOD_PUT;
    return request_write_op(r, &r->ingest->op, item_written);
}

static int check_write(struct request *r)
{
    int status = request_json_type(r);
    return status ? status : request_external_id(r);
}

int handle_item_put(struct request *r)
{
    struct buf record;
    int status = check_write(r);
    if (status)
        return status;
    buf_init(&record, 0);
    status = make_record(r, &record);
    if (!status)
        status = record.failed ? respond_problem(r, 503, "out of memory")
                               : submit(r, (struct str){record.ptr, record.len});
    buf_deinit(&record);
    return status;
}

int handle_item_patch(struct request *r)
{
    struct shop *shop = r->loop->shop;
    int status = check_write(r);
    if (status)
        return status;
    pthread_rwlock_rdlock(&shop->memory_lock);
    uint32_t slot = catalog_find(&shop->catalog, r->match.argument);
    bool known = slot != CATALOG_NONE && catalog_at(&shop->catalog, slot);
    pthread_rwlock_unlock(&shop->memory_lock);
    return known ? handle_item_put(r) : respond_problem(r, 404, "no such item");
}

static int delete_done(struct request *r)
{
    const struct op *op = &r->work.op;
    return op->result != 0 ? respond_error(r, &op->err) : 204;
}

int handle_item_delete(struct request *r)
{
    int status = request_external_id(r);
    if (status)
        return status;
    item_delete_prepare(&r->work.item_delete, r->match.argument, request_done);
    return request_write(r, delete_done);
}
