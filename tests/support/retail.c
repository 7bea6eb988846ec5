#include "support/retail.h"

#include "ingest/reader.h"
#include "support/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int rc, const struct error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "retail: %s\n", err->text);
    abort();
}

static int add_record(void *context, const struct record *record, struct error *err)
{
    struct retail *r = context;
    struct retail_order order = {.time_ms = record->time_ms, .begin = r->items.count};
    if (record->kind != RECORD_ORDER)
        return 0;
    if (record->order_id.len >= sizeof order.invoice)
        return error_set(err, ERR_INVALID, "an invoice number of %zu bytes", record->order_id.len);
    memcpy(order.invoice, record->order_id.ptr, record->order_id.len);
    for (uint32_t x = 0; x < record->line_count; x++) {
        uint32_t index;
        if (record->lines[x].price_minor == RECORD_NO_PRICE || record->lines[x].price_minor <= 0)
            continue;
        int rc = dict_add(&r->names, record->lines[x].item_id, &index, err);
        if (rc)
            return rc;
        if (!VEC_PUSH(&r->items, index))
            return error_set(err, ERR_NOMEM, "out of memory");
    }
    order.end = r->items.count;
    if (order.end > order.begin && !VEC_PUSH(&r->orders, order))
        return error_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

static int compare_orders(const void *a, const void *b)
{
    const struct retail_order *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return strcmp(x->invoice, y->invoice);
}

static void fill_catalog(struct retail *r)
{
    struct error err = ERROR_INIT;
    for (uint32_t i = 0; i < r->names.count; i++) {
        struct catalog_item item = {.item_id = dict_name(&r->names, i),
                                    .price_minor = PRICE_NONE,
                                    .stock = STOCK_NONE,
                                    .available = true};
        must(catalog_put(&r->catalog, i + 1, &item, &err), &err);
    }
}

bool retail_read(struct retail *r)
{
    struct error err = ERROR_INIT;
    struct buf file;
    struct reader_options options = {.include_items = "^[0-9]{5}"};
    struct reader_sink sink = {.context = r, .record = add_record};
    buf_init(&file, 0);
    if (!shared_read("online-retail/online_retail.csv.gz", &file)) {
        printf("skipped: no shared data\n");
        buf_deinit(&file);
        return false;
    }
    *r = (struct retail){0};
    must(dict_init(&r->names, &err), &err);
    must(catalog_init(&r->catalog, &err), &err);
    struct reader *reader = reader_new(&options, &sink, &err);
    must(reader ? 0 : -1, &err);
    must(reader_feed(reader, (struct str){file.ptr, file.len}, &err), &err);
    must(reader_finish(reader, &err), &err);
    reader_free(reader);
    buf_deinit(&file);
    qsort(r->orders.at, r->orders.count, sizeof *r->orders.at, compare_orders);
    fill_catalog(r);
    return true;
}

void retail_free(struct retail *r)
{
    dict_deinit(&r->names);
    catalog_deinit(&r->catalog);
    VEC_FREE(&r->items);
    VEC_FREE(&r->orders);
}

void retail_dataset(const struct retail *r, size_t begin, size_t end, struct dataset *out)
{
    struct error err = ERROR_INIT;
    VEC(uint32_t) keys = {0};
    must(dataset_init(out, NULL, &err), &err);
    for (size_t x = begin; x < end; x++) {
        const struct retail_order *o = &r->orders.at[x];
        keys.count = 0;
        for (uint64_t y = o->begin; y < o->end; y++)
            must(VEC_PUSH(&keys, r->items.at[y] + 1) ? 0 : -1, &err);
        must(dataset_add(out, o->time_ms, 0, keys.at, (uint32_t)keys.count, &err), &err);
    }
    VEC_FREE(&keys);
    must(dataset_finish(out, &err), &err);
}

struct str retail_name(void *retail, uint32_t item_key)
{
    struct retail *r = retail;
    return dict_name(&r->names, item_key - 1);
}
