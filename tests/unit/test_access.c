#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/access.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <stdio.h>
#include <string.h>

static struct shopkit kit;

static int setup(void **state)
{
    (void)state;
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shopkit_close(&kit);
    return 0;
}

static void add(unsigned scopes, char text[ACCESS_KEY_BYTES])
{
    struct error err = ERROR_INIT;
    if (access_add(kit.shop, scopes, STR("a label"), text, &err) != 0)
        fail_msg("%s", err.text);
}

static enum access_verdict check(const char *key, enum access_scope need)
{
    char id[17];
    return access_check(kit.shop, str_of(key), need, id);
}

static void without_keys_everything_is_granted(void **state)
{
    (void)state;
    assert_false(access_has_keys(kit.shop));
    assert_int_equal(check("", ACCESS_ADMIN), ACCESS_GRANTED);
    assert_int_equal(check("whatever", ACCESS_READ), ACCESS_GRANTED);
}

static void every_scope_opens_its_own_door_and_admin_all(void **state)
{
    (void)state;
    static const enum access_scope scopes[] = {ACCESS_READ, ACCESS_INGEST, ACCESS_ADMIN,
                                               ACCESS_METRICS};
    char keys[4][ACCESS_KEY_BYTES];
    for (int i = 0; i < 4; i++)
        add((unsigned)scopes[i], keys[i]);
    for (int key = 0; key < 4; key++)
        for (int need = 0; need < 4; need++) {
            bool good = key == need || scopes[key] == ACCESS_ADMIN;
            assert_int_equal(check(keys[key], scopes[need]),
                             good ? ACCESS_GRANTED : ACCESS_WRONG_SCOPE);
        }
    char both[ACCESS_KEY_BYTES];
    add(ACCESS_READ | ACCESS_METRICS, both);
    assert_int_equal(check(both, ACCESS_METRICS), ACCESS_GRANTED);
    assert_int_equal(check(both, ACCESS_INGEST), ACCESS_WRONG_SCOPE);
    assert_int_equal(check("", ACCESS_READ), ACCESS_MISSING);
    assert_int_equal(check("", ACCESS_OPEN), ACCESS_GRANTED);
}

static void a_key_that_is_nearly_right_is_unknown(void **state)
{
    (void)state;
    char key[ACCESS_KEY_BYTES], wrong[200], id[17];
    add(ACCESS_ADMIN, key);
    assert_int_equal(strlen(key), ACCESS_KEY_BYTES - 1);
    for (size_t i = 0; i < strlen(key); i++) {
        memcpy(wrong, key, sizeof key);
        wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
        assert_int_equal(check(wrong, ACCESS_READ), ACCESS_UNKNOWN);
        memcpy(wrong, key, sizeof key);
        wrong[i] = '\0';
        assert_int_equal(check(wrong, ACCESS_READ), i ? ACCESS_UNKNOWN : ACCESS_MISSING);
    }
    snprintf(wrong, sizeof wrong, "%sA", key);
    assert_int_equal(check(wrong, ACCESS_READ), ACCESS_UNKNOWN);
    snprintf(wrong, sizeof wrong, "%s%s", key, key);
    assert_int_equal(check(wrong, ACCESS_READ), ACCESS_UNKNOWN);
    assert_int_equal(access_check(kit.shop, str_of(key), ACCESS_READ, id), ACCESS_GRANTED);
    assert_memory_equal(id, key + 3, 16);
    assert_int_equal(access_check(kit.shop, STR("bk_"), ACCESS_READ, id), ACCESS_UNKNOWN);
    assert_string_equal(id, "");
}

static void revoking_the_last_key_does_not_open_the_shop(void **state)
{
    (void)state;
    char key[ACCESS_KEY_BYTES];
    add(ACCESS_ADMIN, key);
    struct str id = {key + 3, 16};
    assert_int_equal(access_revoke(kit.shop, id, NULL), 0);
    assert_int_equal(check(key, ACCESS_READ), ACCESS_UNKNOWN);
    assert_int_equal(check("", ACCESS_READ), ACCESS_MISSING);
    assert_true(access_has_keys(kit.shop));
    struct error err = ERROR_INIT;
    assert_int_equal(access_revoke(kit.shop, STR("0123456789abcdef"), &err), ERR_NOT_FOUND);
}

static void keys_survive_a_restart_and_only_their_hash_is_stored(void **state)
{
    (void)state;
    char key[ACCESS_KEY_BYTES], gone[ACCESS_KEY_BYTES];
    add(ACCESS_READ, key);
    add(ACCESS_READ, gone);
    assert_int_equal(access_revoke(kit.shop, (struct str){gone + 3, 16}, NULL), 0);
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(check(key, ACCESS_READ), ACCESS_GRANTED);
    assert_int_equal(check(gone, ACCESS_READ), ACCESS_UNKNOWN);
    assert_int_equal(shopkit_bytes_in_files(&kit, key + 20), 0); /* the secret */
    char id[17] = {0};
    memcpy(id, key + 3, 16);
    assert_true(shopkit_bytes_in_files(&kit, id) > 0);
}

static void keys_are_listed_without_their_secret(void **state)
{
    (void)state;
    char key[ACCESS_KEY_BYTES];
    add(ACCESS_READ | ACCESS_INGEST, key);
    struct buf text, json;
    buf_init(&text, 0);
    buf_init(&json, 0);
    assert_int_equal(access_list(kit.shop, &text, false, NULL), 0);
    assert_int_equal(access_list(kit.shop, &json, true, NULL), 0);
    assert_non_null(strstr(buf_cstr(&text), "read,ingest"));
    assert_non_null(strstr(buf_cstr(&json), "\"scopes\":[\"read\",\"ingest\"]"));
    assert_non_null(strstr(buf_cstr(&json), "\"revoked\":null,\"label\":\"a label\"}"));
    assert_null(strstr(buf_cstr(&text), key + 20));
    assert_null(strstr(buf_cstr(&json), key + 20));
    buf_deinit(&text);
    buf_deinit(&json);
}

static void bad_scopes_and_labels_are_refused(void **state)
{
    (void)state;
    unsigned scopes = 0;
    char key[ACCESS_KEY_BYTES], label[80];
    assert_true(access_scopes_parse(STR("read, metrics"), &scopes));
    assert_int_equal(scopes, ACCESS_READ | ACCESS_METRICS);
    assert_false(access_scopes_parse(STR("read,write"), &scopes));
    assert_false(access_scopes_parse(STR(""), &scopes));
    assert_false(access_scopes_parse(STR("read,"), &scopes));
    assert_int_equal(access_add(kit.shop, 0, STR("x"), key, NULL), ERR_INVALID);
    memset(label, 'x', sizeof label);
    assert_int_equal(access_add(kit.shop, ACCESS_READ, (struct str){label, 65}, key, NULL),
                     ERR_INVALID);
    assert_int_equal(access_add(kit.shop, ACCESS_READ, (struct str){label, 64}, key, NULL), 0);
    assert_int_equal(access_add(kit.shop, ACCESS_READ, STR("\xff"), key, NULL), ERR_INVALID);
}

static void no_memory_adds_no_key(void **state)
{
    (void)state;
    char key[ACCESS_KEY_BYTES];
    int rc = ERR_NOMEM;
    OOM_LOOP
    {
        rc = access_add(kit.shop, ACCESS_READ, STR("x"), key, NULL);
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired() && key[0] == '\0'));
    }
    assert_int_equal(rc, 0);
    assert_int_equal(check(key, ACCESS_READ), ACCESS_GRANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_keys_everything_is_granted, setup, teardown),
        cmocka_unit_test_setup_teardown(every_scope_opens_its_own_door_and_admin_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_nearly_right_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(revoking_the_last_key_does_not_open_the_shop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(keys_survive_a_restart_and_only_their_hash_is_stored, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(keys_are_listed_without_their_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_scopes_and_labels_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory_adds_no_key, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
