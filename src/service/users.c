/* What is stored about a user, and forgetting it. Erasing overwrites the rows' pages
 * (secure_delete) and then empties the write-ahead log, which still has the old ones. */
#include "service/ingest.h"

#include "service/jobs.h"
#include "service/reader_thread.h"
#include "service/staging.h"
#include "service/writer.h"
#include "store/users.h"

static int no_user(struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "user: no such user");
}

static void take_stats(struct user_op *self, const struct user_stats *stats)
{
    self->orders = stats->orders;
    self->events = stats->events;
    self->first_ms = stats->first_ms;
    self->last_ms = stats->last_ms;
}

static int show_run(struct shop *shop, struct op *op, struct error *err)
{
    struct user_op *self = (struct user_op *)op;
    struct db *db = reader_thread_orders(shop->reader);
    struct user_stats stats;
    uint64_t key;
    int rc = users_key(db, self->user_id, false, &key, err);
    if (rc == 0 && key == 0)
        rc = no_user(err);
    if (rc == 0)
        rc = users_stats(db, key, &stats, err);
    if (rc == 0)
        take_stats(self, &stats);
    return rc;
}

static int note_gone(void *context, const struct order_row *row, struct error *err)
{
    struct order_change change = {.key = row->key, .user_before = row->user};
    return memory_note_gone(context, &change, err);
}

static int erase_run(struct shop *shop, struct op *op, struct error *err)
{
    struct user_op *self = (struct user_op *)op;
    struct db *db = writer_db(shop->writer);
    struct user_stats stats;
    uint64_t key;
    staging_forget_users(writer_staging(shop->writer));
    int rc = users_key(db, self->user_id, false, &key, err);
    if (rc == 0 && key == 0)
        rc = no_user(err);
    if (rc == 0 && shop->settings->erase_orders)
        rc = orders_of_user(db, key, UINT32_MAX, note_gone, &self->gone, err);
    if (rc == 0)
        rc = users_erase(db, key, shop->settings->erase_orders, &stats, err);
    if (rc != 0) {
        memory_changes_free(&self->gone);
        return rc;
    }
    take_stats(self, &stats);
    self->orders_deleted = shop->settings->erase_orders;
    return 0;
}

static void erase_apply(struct shop *shop, struct op *op)
{
    struct user_op *self = (struct user_op *)op;
    memory_apply(shop, &self->gone);
    memory_changes_free(&self->gone);
    memory_forget_user(shop, self->user_id);
    if (self->orders_deleted)
        jobs_orders_changed(shop->jobs, self->orders);
}

static void erase_undo(struct shop *shop, struct op *op)
{
    (void)shop;
    memory_changes_free(&((struct user_op *)op)->gone);
}

void user_show_prepare(struct user_op *op, struct str user_id, void (*done)(struct op *op))
{
    *op = (struct user_op){.op = {.run = show_run, .done = done, .cost = 1}, .user_id = user_id};
}

void user_erase_prepare(struct user_op *op, struct str user_id, void (*done)(struct op *op))
{
    *op = (struct user_op){.op = {.run = erase_run,
                                  .apply = erase_apply,
                                  .undo = erase_undo,
                                  .done = done,
                                  .cost = 1,
                                  .scrub = true},
                           .user_id = user_id};
}
