#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "ingest/csvmap.h"

#include <string.h>

static int build(struct csvmap *m, const char *header, const char *const *maps, struct error *err)
{
    struct str names[64], rest = str_of(header);
    unsigned count = 0;
    while (rest.ptr && count < 64)
        names[count++] = str_cut(&rest, ',');
    return csvmap_build(m, names, count, maps, err);
}

static void names_are_known_in_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum csv_table table;
        int order, user, time, item, quantity, price, title;
    } cases[] = {
        {"order,item", TABLE_ORDERS, 0, -1, -1, 1, -1, -1, -1},
        {"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
         TABLE_ORDERS, 0, 6, 4, 1, 3, 5, 2},
        {"Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
         TABLE_ORDERS, 0, 6, 4, 1, 3, 5, 2},
        {"order_id,user_id,item_id,quantity,price,timestamp,title", TABLE_ORDERS, 0, 1, 5, 2, 3, 4,
         6},
        {"ORDER-ID, sku ,QTY", TABLE_ORDERS, 0, -1, -1, 1, 2, -1, -1},
        {"USER_ID,ITEM_ID,TIMESTAMP", TABLE_ORDERS, -1, 0, 2, 1, -1, -1, -1},
        {"USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE", TABLE_EVENTS, -1, 0, 2, 1, -1, -1, -1},
        {"item_id,title,price", TABLE_ITEMS, -1, -1, -1, 0, -1, 2, 1},
        {",order,item", TABLE_ORDERS, 1, -1, -1, 2, -1, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csvmap m;
        struct error err = ERROR_INIT;
        assert_int_equal(build(&m, cases[i].header, NULL, &err), 0);
        assert_int_equal(m.table, cases[i].table);
        assert_int_equal(m.at[COLUMN_ORDER], cases[i].order);
        assert_int_equal(m.at[COLUMN_USER], cases[i].user);
        assert_int_equal(m.at[COLUMN_TIME], cases[i].time);
        assert_int_equal(m.at[COLUMN_ITEM], cases[i].item);
        assert_int_equal(m.at[COLUMN_QUANTITY], cases[i].quantity);
        assert_int_equal(m.at[COLUMN_PRICE], cases[i].price);
        assert_int_equal(m.at[COLUMN_TITLE], cases[i].title);
    }
}

static void maps_win_over_names(void **state)
{
    (void)state;
    struct csvmap m;
    struct error err = ERROR_INIT;
    const char *const maps[] = {"item=ignore", "A = B=item_id", "no=ORDER_ID", NULL};
    assert_int_equal(csvmap_check(maps, &err), 0);
    assert_int_equal(build(&m, "No,Item,A = B", maps, &err), 0);
    assert_int_equal(m.at[COLUMN_ORDER], 0);
    assert_int_equal(m.at[COLUMN_ITEM], 2);
    assert_int_equal(m.width, 3);
}

static void headers_that_do_not_tell_are_errors_that_name_the_fix(void **state)
{
    (void)state;
    static const struct {
        const char *header, *part;
    } cases[] = {
        {"order,item,colour", "'colour=ignore'"},
        {"order,price", "--map Column=item_id"},
        {"item", "--map Column=order_id"},
        {"item,quantity", "--map Column=order_id"},
        {"item,title,user", "--map Column=order_id"},
        {"order,sku,item", "columns 'sku' and 'item' both mean item_id"},
        {"order,item,stock", "'stock' (stock) has no place in a table of orders"},
        {"item,event,price", "'price' (price) has no place in a table of events"},
        {"item,title,session", "'session' (session_id) has no place in a table of items"},
        {"order,item,\xff", "column '?' is not known"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csvmap m;
        struct error err = ERROR_INIT;
        assert_int_equal(build(&m, cases[i].header, NULL, &err), ERR_INVALID);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' gives '%s' without '%s'", cases[i].header, err.text, cases[i].part);
    }
}

static void malformed_maps_are_errors(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "=", "a", "a=", "=item_id", "a=colour"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const maps[] = {bad[i], NULL};
        struct csvmap m;
        struct error err = ERROR_INIT, other = ERROR_INIT;
        assert_int_equal(csvmap_check(maps, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "expected Column=name"));
        assert_int_equal(build(&m, "order,item", maps, &other), ERR_INVALID);
    }
    struct csvmap m;
    struct error err = ERROR_INIT;
    const char *const maps[] = {"Colour=ignore", NULL};
    assert_int_equal(build(&m, "order,item", maps, &err), ERR_INVALID);
    assert_string_equal(err.text, "map 'Colour=ignore': the header has no such column");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_in_every_spelling),
        cmocka_unit_test(maps_win_over_names),
        cmocka_unit_test(headers_that_do_not_tell_are_errors_that_name_the_fix),
        cmocka_unit_test(malformed_maps_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
