/* The orders of a shop, read beside whoever serves it: a read-only connection and no lock. Orders
 * first, so that the items of all of them are there when the items are read. */
#include "evaldata_internal.h"

#include "store/items.h"
#include "store/orders.h"

#include <limits.h>
#include <stdio.h>

static int take_order(void *context, const struct order_row *row, struct error *err)
{
    struct gathering *g = context;
    if (g->request->through && row->key > g->request->through)
        return 0;
    g->key.count = 0;
    for (uint32_t i = 0; i < row->line_count; i++) {
        if (g->request->priced && row->lines[i].price_minor <= 0)
            continue; /* also no price: the least number there is */
        if (!VEC_PUSH(&g->key, row->lines[i].item))
            return error_set(err, ERR_NOMEM, "out of memory for the orders");
    }
    return dataset_add(&g->out->orders, row->time_ms, row->user, g->key.at, (uint32_t)g->key.count,
                       err);
}

/* Both lists ascend by key. */
static int take_name(void *context, const struct item_row *row, struct error *err)
{
    struct gathering *g = context;
    struct evaldata *out = g->out;
    uint32_t item = out->names.count, index;
    if (item == out->orders.item_count || out->orders.item_key[item] != row->key)
        return 0;
    out->name[item] = item;
    return dict_add(&out->names, row->item_id, &index, err);
}

static int read_store(struct gathering *g, struct db *db, struct error *err)
{
    struct evaldata *out = g->out;
    uint64_t damaged = 0;
    int rc = g->request->sessions ? evaldata_store_events(g, db, err) : 0;
    if (rc == 0)
        rc = g->events ? evaldata_add_sessions(g, err)
                       : orders_scan(db, take_order, g, g->request->progress, &damaged, err);
    if (rc == 0)
        rc = dataset_finish(&out->orders, err);
    if (rc == 0 && !MEM_NEW(out->name, out->orders.item_count))
        rc = error_set(err, ERR_NOMEM, "out of memory for the items");
    if (rc == 0)
        rc = items_scan(db, take_name, g, err);
    if (rc == 0 && out->names.count != out->orders.item_count)
        rc = error_set(err, ERR_CORRUPT, "item %u of the orders is not in the catalogue",
                       out->orders.item_key[out->names.count]);
    if (damaged) {
        out->rejected = damaged;
        snprintf(out->first_problem, sizeof out->first_problem, "damaged orders in the store");
    }
    out->timed = true;
    return rc;
}

int evaldata_store(struct gathering *g, struct error *err)
{
    char path[PATH_MAX];
    struct error local = ERROR_INIT;
    snprintf(path, sizeof path, "%s/orders.db", g->request->data);
    struct db *db = db_open(path, "orders", DB_READ, &local);
    if (!db && local.code == ERR_NOT_FOUND)
        return error_set(err, ERR_NOT_FOUND,
                         "%s has no orders: import some, or name a file to evaluate on",
                         g->request->data);
    int rc = db ? read_store(g, db, &local) : (int)local.code;
    db_close(db);
    return rc ? error_set(err, rc, "%s", local.text) : 0;
}
