/* Orders, the system of record: one row per order, lines as JSON [[item,quantity,price_minor],…]
 * with item = items.key. Callers hold the transaction. Writer connection for put/cancel/delete. */
#ifndef STORE_ORDERS_H
#define STORE_ORDERS_H

#include "base/progress.h"
#include "store/db.h"

#define ORDER_NO_TIME  INT64_MIN
#define ORDER_NO_PRICE INT64_MIN /* stored as null */

struct order_line {
    uint32_t item; /* items.key */
    int64_t quantity, price_minor;
};

struct order_row {
    uint64_t key; /* of its row, in order of arrival; given by reads, not looked at by puts */
    struct str order_id;
    uint64_t user;   /* users.key, 0: nobody */
    int64_t time_ms; /* ORDER_NO_TIME: arrival_ms when new; not compared with a stored one */
    int64_t arrival_ms;
    const struct order_line *lines; /* distinct items; stored ascending by item */
    uint32_t line_count;
};

enum put_outcome { PUT_ACCEPTED, PUT_REPLACED, PUT_DUPLICATE, PUT_CANCELLED };

/* Insert, or compare with the stored order of that id: equal → DUPLICATE, else replaced. A
 * cancelled order stays cancelled whatever comes later (CANCELLED). */
int orders_put(struct db *db, const struct order_row *row, enum put_outcome *out,
               struct error *err) WARN_UNUSED;
/* ACCEPTED: now cancelled (an unknown id leaves a tombstone, so that a late order stays out);
 * DUPLICATE: was cancelled already. */
int orders_cancel(struct db *db, struct str order_id, int64_t now_ms, enum put_outcome *out,
                  struct error *err) WARN_UNUSED;

/* Which row the last put or cancel that went well was about. */
struct order_change {
    uint64_t key;         /* its key; of a new one too */
    uint64_t user_before; /* whose it was before; 0: nobody's, or it is new */
    int64_t time_ms;      /* as stored now */
};
struct order_change orders_last_change(const struct db *db);

/* Every order that counts (not cancelled), ascending key. Lines are borrowed for the call. A
 * visitor's non-zero return stops the scan and is returned. A damaged row is skipped and counted in
 * *damaged. */
typedef int (*order_visitor)(void *context, const struct order_row *row, struct error *err);
int orders_scan(struct db *db, order_visitor visit, void *context, struct progress *progress,
                uint64_t *damaged, struct error *err) WARN_UNUSED;
/* The same for at most `limit` orders with a key above *after, ascending; then *after is the last
 * one's, cancelled or not. *ended: there are no more. */
int orders_scan_after(struct db *db, uint64_t *after, uint32_t limit, order_visitor visit,
                      void *context, bool *ended, struct error *err) WARN_UNUSED;
int orders_last_key(struct db *db, uint64_t *key, struct error *err) WARN_UNUSED; /* 0: no orders */
/* The newest `limit` orders of one user, newest first. */
int orders_of_user(struct db *db, uint64_t user, uint32_t limit, order_visitor visit, void *context,
                   struct error *err) WARN_UNUSED;

struct order_stats {
    uint64_t orders, cancelled, lines; /* lines: item lines of the orders that count */
    int64_t first_ms, last_ms;         /* 0 when there are none */
    uint64_t changes; /* accepted + replaced + cancelled ever: grows with every change */
};
int orders_stats(struct db *db, struct order_stats *out, struct error *err) WARN_UNUSED;

/* Retention: deletes at most `limit` orders (and events) older than `before_ms`; *deleted of them.
 */
int orders_expire(struct db *db, int64_t before_ms, uint32_t limit, uint32_t *deleted,
                  struct error *err) WARN_UNUSED;
#endif
