/* What answers know beyond model and catalogue: shoppers' histories, and the orders since the
 * model's training (engine/fresh.h, one overlay per model). Filled from orders.db at the start,
 * changed by the writer thread after each commit, so that an order or event acts on the very next
 * answer. All of it lies under shop.memory_lock.
 *
 * Loading runs on the writer thread too, a slice at a time between commits: rows up to a cursor are
 * in memory, and a change of a row beyond it is left to the slice that reads it. So nothing can
 * come twice or out of order. */
#ifndef SERVICE_MEMORY_H
#define SERVICE_MEMORY_H

#include "base/vec.h"
#include "data/shoppers.h"
#include "engine/fresh.h"
#include "store/events.h"
#include "store/orders.h"

struct shop;

/* The overlay of the model that is live; a second one while the next model goes live. */
#define OVERLAYS 2
struct overlay {
    struct fresh *fresh; /* NULL: none */
    uint64_t orders;     /* key up to which orders are loaded */
};

struct memory {
    struct shoppers shoppers;
    struct overlay overlays[OVERLAYS];
    bool kept;                      /* serving; a command keeps none */
    _Atomic(bool) loaded;           /* all histories are here */
    _Atomic(bool) complete;         /* and all of the overlays */
    uint64_t users, orders, events; /* keys up to which rows are loaded */
    uint64_t last_event;            /* loading ends there: it was the newest when it began */
};

/* What an op changes, noted while it runs, done when its commit went well. */
struct memory_change {
    enum { MEMORY_USER, MEMORY_ORDER, MEMORY_GONE, MEMORY_EVENT } kind;
    uint64_t key, user, user_before;
    struct str user_id; /* borrowed; empty: known already, or nobody */
    int64_t time_ms;
    size_t first; /* of an order's slots in `slots` */
    uint32_t count;
    uint32_t slot; /* an event's */
    int event;     /* its kind */
};

struct memory_changes {
    VEC(struct memory_change) list;
    VEC(uint32_t) slots;
};
void memory_changes_clear(struct memory_changes *changes); /* memory kept */
void memory_changes_free(struct memory_changes *changes);

/* Writer thread, in an op's run: an order was put (accepted or replaced) or cancelled, as
 * orders_last_change tells; an event was accepted. ERR_NOMEM. */
int memory_note_order(struct memory_changes *changes, const struct order_change *change,
                      const struct order_row *row, struct str user_id,
                      struct error *err) WARN_UNUSED;
int memory_note_gone(struct memory_changes *changes, const struct order_change *change,
                     struct error *err) WARN_UNUSED;
int memory_note_event(struct memory_changes *changes, const struct event_row *row,
                      struct str user_id, struct error *err) WARN_UNUSED;

/* Writer thread, in an op's apply. When memory runs out everything is loaded anew. */
void memory_apply(struct shop *shop, const struct memory_changes *changes);
void memory_forget_user(struct shop *shop, struct str user_id);
/* Forgets lines, events and fresh orders older than that. */
void memory_expire(struct shop *shop, int64_t before_ms);

void memory_init(struct memory *m, bool kept);
void memory_deinit(struct memory *m);
/* Forgets all and begins to load; before the writer runs, or on its thread. */
void memory_restart(struct shop *shop);
/* Reads a slice of 5,000 rows; nothing when complete. Where memory_restart may be called.
 * ERR_NOMEM and the store's errors: to be tried again. */
int memory_load_some(struct shop *shop, struct db *db, struct error *err) WARN_UNUSED;
/* Any other thread that may wait: the same by way of the writer. */
int memory_load_wait(struct shop *shop, struct error *err) WARN_UNUSED;

/* The overlay that goes with the model; NULL: none (yet). Under the lock. */
const struct fresh *memory_fresh(const struct memory *m, const struct model *model);
/* Before the writer runs: an empty overlay for the model that is live, to be loaded. ERR_NOMEM. */
int memory_begin_overlay(struct shop *shop, struct model *model, struct error *err) WARN_UNUSED;
/* Before a model goes live, under publish_mutex, on a thread that may wait: makes its overlay,
 * whole. What goes wrong is logged and made good by the keeper. */
void memory_prepare(struct shop *shop, struct model *model);
/* The keeper's: drops the overlay of the model that was replaced; makes that of the live model, if
 * it has none. */
void memory_settle(struct shop *shop);
void memory_repair(struct shop *shop);
#endif
