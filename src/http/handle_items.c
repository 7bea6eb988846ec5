/* /items: the catalogue. Reads come from memory; changes go the way of every record, through the
 * reader's checks and the writer thread, and act on the very next answer. */
#include "http_internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void write_item(const struct catalog_item *item, struct buf *out)
{
    char when[25];
    time_ms_format(item->updated_ms, when);
    buf_text(out, "{\"item_id\":");
    buf_json_str(out, item->item_id);
    buf_text(out, ",\"title\":");
    if (item->title.len)
        buf_json_str(out, item->title);
    else
        buf_text(out, "null");
    buf_text(out, ",\"category\":");
    buf_str(out, item->category.len ? item->category : STR("null"));
    buf_text(out, ",\"price\":");
    if (item->price_minor == PRICE_NONE)
        buf_text(out, "null");
    else
        buf_printf(out, "%lld.%02lld", (long long)(item->price_minor / 100),
                   (long long)(item->price_minor % 100));
    buf_text(out, ",\"stock\":");
    if (item->stock == STOCK_NONE)
        buf_text(out, "null");
    else
        buf_i64(out, item->stock);
    buf_text(out, ",\"attributes\":");
    buf_str(out, item->attributes.len ? item->attributes : STR("null"));
    buf_printf(out, ",\"available\":%s,\"updated\":\"%s\"}", item->available ? "true" : "false",
               when);
}

/* Replies with the item as it is now; 404 when there is none. */
static void reply_item(struct request *r, int status)
{
    struct shop *shop = r->loop->shop;
    struct buf out;
    buf_init(&out, 0);
    pthread_rwlock_rdlock(&shop->catalog_lock);
    uint32_t slot = catalog_find(&shop->catalog, r->id);
    const struct catalog_item *item =
        slot == CATALOG_NONE ? NULL : catalog_at(&shop->catalog, slot);
    if (item)
        write_item(item, &out);
    pthread_rwlock_unlock(&shop->catalog_lock);
    if (!item)
        reply_problem(r, 404, "no such item");
    else if (status == 200)
        reply_tagged(r, &out, 0, out.len);
    else
        reply_json(r, status, &out);
}

void handle_item(struct request *r)
{
    if (params_read(r, NULL, 0))
        reply_item(r, 200);
}

void handle_items(struct request *r)
{
    struct param p[] = {{.name = "limit"}, {.name = "cursor"}, {.name = "category"}};
    struct shop *shop = r->loop->shop;
    uint32_t limit = 50, found = 0;
    uint64_t slot = 0;
    if (!params_read(r, p, 3) || !param_u32(r, &p[0], 1, 500, &limit))
        return;
    uint64_t hash = hash_bytes(3, p[2].value.ptr ? p[2].value.ptr : "", p[2].value.len);
    if (p[1].value.ptr && !cursor_parse(p[1].value, 0, hash, &slot)) {
        reply_invalid(r, "cursor", "cursor: of another question; start again without it");
        return;
    }
    struct buf out;
    buf_init(&out, 0);
    buf_text(&out, "{\"items\":[");
    pthread_rwlock_rdlock(&shop->catalog_lock);
    for (; slot < shop->catalog.count && found < limit; slot++) {
        const struct catalog_item *item = catalog_at(&shop->catalog, (uint32_t)slot);
        if (!item || (p[2].value.ptr && !catalog_in_category(item, p[2].value)))
            continue;
        if (found++)
            buf_char(&out, ',');
        write_item(item, &out);
    }
    bool more = slot < shop->catalog.count;
    pthread_rwlock_unlock(&shop->catalog_lock);
    buf_text(&out, "],\"next\":");
    if (more) {
        buf_char(&out, '"');
        cursor_write(&out, 0, hash, slot);
        buf_text(&out, "\"}");
    } else {
        buf_text(&out, "null}");
    }
    reply_tagged(r, &out, 0, out.len);
}

/* ---- changes ---- */

struct change {
    struct ingest_op *ingest;
    struct item_delete_op remove;
    struct request *request;
    bool known; /* before the change */
};

static void change_release(void *state)
{
    struct change *change = state;
    ingest_op_free(change->ingest);
    free(change);
}

static void ingest_done(struct op *op)
{
    struct change *change = ((struct ingest_op *)(void *)op)->context;
    request_wake(change->request);
}

static void remove_done(struct op *op)
{
    struct change *change = (struct change *)(void *)((char *)op - offsetof(struct change, remove));
    request_wake(change->request);
}

static struct change *change_new(struct request *r)
{
    struct change *change = mem_zarray(1, sizeof *change);
    if (!change) {
        reply_problem(r, 503, "out of memory");
        return NULL;
    }
    pthread_rwlock_rdlock(&r->loop->shop->catalog_lock);
    uint32_t slot = catalog_find(&r->loop->shop->catalog, r->id);
    change->known = slot != CATALOG_NONE && catalog_at(&r->loop->shop->catalog, slot);
    pthread_rwlock_unlock(&r->loop->shop->catalog_lock);
    change->request = r;
    r->state = change;
    r->release = change_release;
    return change;
}

static void finish_change(struct request *r)
{
    struct change *change = r->state;
    const struct op *op = &change->ingest->op;
    if (op->result)
        reply_error(r, &op->err);
    else
        reply_item(r, change->known ? 200 : 201);
}

/* The body as a record of this item: the id of the path, kind item. */
static char *record_text(struct request *r)
{
    json_t *body = body_object(r);
    if (!body)
        return NULL;
    json_t *given = json_object_get(body, "item_id");
    if (given &&
        (!json_is_string(given) ||
         !str_eq(r->id, (struct str){json_string_value(given), json_string_length(given)}))) {
        json_decref(body);
        reply_invalid(r, "/item_id", "item_id: differs from the path");
        return NULL;
    }
    char *text = NULL;
    json_t *id = json_stringn(r->id.ptr, r->id.len);
    if (id && json_object_set_new(body, "item_id", id) == 0 &&
        json_object_set_new(body, "kind", json_string("item")) == 0)
        text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(body);
    if (!text)
        reply_invalid(r, "", "the id is not valid UTF-8");
    return text;
}

static bool feed_record(struct request *r, struct ingest_op *op, const char *text)
{
    struct import_request how = {.format = FORMAT_NDJSON, .coding = CODING_IDENTITY};
    struct error err = ERROR_INIT;
    char pointer[64];
    int rc = ingest_op_open(op, r->loop->shop, &how, &err);
    if (rc == 0)
        rc = ingest_op_feed(op, str_of(text), &err);
    if (rc == 0)
        rc = ingest_op_finish(op, &err);
    if (rc) {
        reply_error(r, &err);
        return false;
    }
    if (op->report.problem_total == 0)
        return true;
    const struct ingest_problem *problem = &op->report.problems[0];
    snprintf(pointer, sizeof pointer, "/%.*s",
             (int)(problem->field.len < 60 ? problem->field.len : 60),
             problem->field.ptr ? problem->field.ptr : "");
    reply_invalid(r, pointer, "%.*s: %.*s", STR_ARG(problem->field), STR_ARG(problem->reason));
    return false;
}

static void change_item(struct request *r, bool replace)
{
    struct error err = ERROR_INIT;
    if (!params_read(r, NULL, 0))
        return;
    struct change *change = change_new(r);
    if (!change)
        return;
    if (!replace && !change->known) {
        reply_problem(r, 404, "no such item; PUT makes one");
        return;
    }
    char *text = record_text(r);
    if (!text)
        return;
    change->ingest = ingest_op_new(ingest_done, &err);
    if (!change->ingest) {
        reply_error(r, &err);
    } else if (feed_record(r, change->ingest, text)) {
        change->ingest->context = change;
        change->ingest->replace_items = replace;
        request_write(r, &change->ingest->op, finish_change);
    }
    free(text);
}

void handle_item_put(struct request *r)
{
    change_item(r, true);
}

void handle_item_patch(struct request *r)
{
    change_item(r, false);
}

static void finish_delete(struct request *r)
{
    struct change *change = r->state;
    if (change->remove.op.result)
        reply_error(r, &change->remove.op.err);
    else
        reply_empty(r, 204);
}

void handle_item_delete(struct request *r)
{
    struct change *change = params_read(r, NULL, 0) ? change_new(r) : NULL;
    if (!change)
        return;
    item_delete_prepare(&change->remove, r->id, remove_done);
    request_write(r, &change->remove.op, finish_delete);
}
