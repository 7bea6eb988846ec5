/* A fresh orders.db in a directory of its own for each test:
 * cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown). */
#ifndef SUPPORT_ORDERS_DB_H
#define SUPPORT_ORDERS_DB_H

#include "store/orders.h"
#include "support/tempdir.h"

extern struct tempdir dir;
extern struct db *db; /* its writer */

int orders_db_setup(void **state);
int orders_db_teardown(void **state);

/* These fail the test when they cannot. */
struct db *orders_db_open(enum db_mode mode); /* a second connection; the caller closes it */
void orders_db_reopen(void);
void begin(void);
void commit(void);
void run(const char *sql);
struct order_stats stats(void);
enum put_outcome put(const char *id, uint64_t user, int64_t time_ms, const struct order_line *lines,
                     size_t count); /* arrival_ms 9000 */
enum put_outcome cancel(const char *id, int64_t now_ms);

#endif
