#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/keys.h"
#include "support/orders_db.h"

#include <stdio.h>
#include <string.h>

static int note_key(void *context, const struct key_row *row, struct error *err)
{
    (void)err;
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, "%s %02x%02x %u %.*s %lld %lld\n", row->id, row->hash[0],
             row->hash[KEY_HASH_BYTES - 1], row->scopes, STR_ARG(row->label),
             (long long)row->created_ms, (long long)row->revoked_ms);
    return 0;
}

static void keys_are_added_revoked_and_scanned(void **state)
{
    (void)state;
    struct key_row row = {.id = "0123456789abcdef",
                          .scopes = SCOPE_READ | SCOPE_METRICS,
                          .label = STR("shop"),
                          .created_ms = 5};
    struct key_row second = {.id = "f", .scopes = SCOPE_ADMIN, .created_ms = 6};
    char text[256] = "";
    row.hash[0] = 0xab;
    row.hash[KEY_HASH_BYTES - 1] = 0xcd;
    assert_int_equal(keys_add(db, &row, NULL), 0);
    assert_int_equal(keys_add(db, &second, NULL), 0);
    assert_int_equal(keys_add(db, &row, NULL), ERR_CONFLICT);
    assert_int_equal(keys_revoke(db, STR("0123456789abcdef"), 9, NULL), 0);
    assert_int_equal(keys_revoke(db, STR("0123456789abcdef"), 99, NULL), 0); /* stays at 9 */
    assert_int_equal(keys_revoke(db, STR("unknown"), 9, NULL), ERR_NOT_FOUND);
    orders_db_reopen();
    assert_int_equal(keys_scan(db, note_key, text, NULL), 0);
    assert_string_equal(text, "0123456789abcdef abcd 9 shop 5 9\nf 0000 4  6 0\n");
}

static void a_damaged_key_is_reported(void **state)
{
    (void)state;
    struct key_row row = {.id = "a", .scopes = SCOPE_READ};
    char text[256] = "";
    assert_int_equal(keys_add(db, &row, NULL), 0);
    run("UPDATE keys SET hash = x'0102'");
    assert_int_equal(keys_scan(db, note_key, text, NULL), ERR_CORRUPT);
    run("UPDATE keys SET hash = zeroblob(32), key_id = '0123456789abcdef0'");
    assert_int_equal(keys_scan(db, note_key, text, NULL), ERR_CORRUPT);
    assert_string_equal(text, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_added_revoked_and_scanned),
        TEST(a_damaged_key_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
