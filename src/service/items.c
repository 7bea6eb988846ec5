/* Deleting an item: its row says so, its id keeps its slot, so that old orders still mean it. */
#include "service/ingest.h"

#include "base/clock.h"
#include "service/staging.h"
#include "service/writer.h"

static int delete_run(struct shop *shop, struct op *op, struct error *err)
{
    struct item_delete_op *self = (struct item_delete_op *)op;
    struct staging *staging = writer_staging(shop->writer);
    uint32_t slot;
    if (!staging_find(staging, self->item_id, &slot))
        return error_set(err, ERR_NOT_FOUND, "item: no such item");
    struct catalog_item gone = {.price_minor = PRICE_NONE,
                                .stock = STOCK_NONE,
                                .order_ms = INT64_MIN,
                                .updated_ms = clock_wall_ms()};
    return staging_put(staging, slot, &gone, err);
}

void item_delete_prepare(struct item_delete_op *op, struct str item_id, void (*done)(struct op *op))
{
    *op = (struct item_delete_op){.op = {.run = delete_run, .done = done, .cost = 1},
                                  .item_id = item_id};
}
