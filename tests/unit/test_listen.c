#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/cors.h"
#include "http/listen.h"

#include <string.h>
#include <unistd.h>

static void addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *back;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", true},
        {"127.9.9.9:0", "127.9.9.9:0", true},
        {"0.0.0.0:80", "0.0.0.0:80", false},
        {"[::1]:65535", "[::1]:65535", true},
        {"[::]:8080", "[::]:8080", false},
        {"localhost:1", "127.0.0.1:1", true},
        {"192.168.1.9:8080", "192.168.1.9:8080", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listen_address address;
        struct error err = ERROR_INIT;
        char text[64];
        assert_int_equal(listen_parse(str_of(cases[i].text), &address, &err), 0);
        listen_text(&address, text);
        assert_string_equal(text, cases[i].back);
        assert_int_equal(listen_is_loopback(&address), cases[i].loopback);
    }
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ":",
                                      "8080",
                                      "127.0.0.1",
                                      ":8080",
                                      "127.0.0.1:",
                                      "a.example:80",
                                      "127.0.0.1:65536",
                                      "::1:8080",
                                      "[::1]",
                                      "[]:80",
                                      "[::g]:80",
                                      "127.0.0.1:x",
                                      "127.0.0.1.1:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct listen_address address;
        struct error err = ERROR_INIT;
        assert_int_equal(listen_parse(str_of(bad[i]), &address, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "server.listen"));
    }
}

static void several_sockets_share_the_port_they_were_given(void **state)
{
    (void)state;
    struct listen_address address, again;
    struct error err = ERROR_INIT;
    int sockets[3], one;
    char text[64];
    assert_int_equal(listen_parse(STR("127.0.0.1:0"), &address, &err), 0);
    assert_int_equal(listen_open(&address, 3, sockets, &err), 0);
    listen_text(&address, text);
    assert_string_not_equal(text, "127.0.0.1:0");
    again = address; /* nobody else may have it: not alone, and not as one of several */
    assert_int_equal(listen_open(&again, 1, &one, &err), ERR_IO);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(listen_open(&again, 2, (int[2]){0}, NULL), ERR_IO);
    for (int i = 0; i < 3; i++)
        close(sockets[i]);
    assert_int_equal(listen_open(&again, 1, &one, &err), 0);
    close(one);
}

static void origins_are_matched_whole(void **state)
{
    (void)state;
    struct str list = STR("https://shop.example, http://localhost:3000");
    assert_null(cors_problem(list));
    assert_null(cors_problem(STR("")));
    assert_true(cors_allowed(list, STR("https://shop.example")));
    assert_true(cors_allowed(list, STR("http://localhost:3000")));
    assert_false(cors_allowed(list, STR("https://shop.example.evil.example")));
    assert_false(cors_allowed(list, STR("http://shop.example")));
    assert_false(cors_allowed(list, STR("null")));
    assert_false(cors_allowed(STR(""), STR("https://shop.example")));
    static const char *const bad[] = {"*",       "shop.example", "https://",   "https://a/b",
                                      "ftp://a", "https://*.a",  "https://a b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(cors_problem(str_of(bad[i])));
}

static void the_same_origin_has_the_same_host_and_port(void **state)
{
    (void)state;
    assert_true(cors_same_origin(STR("http://localhost:8080"), STR("LOCALHOST:8080")));
    assert_true(cors_same_origin(STR("https://a.example"), STR("a.example")));
    assert_false(cors_same_origin(STR("http://localhost:3000"), STR("localhost:8080")));
    assert_false(cors_same_origin(STR("null"), STR("localhost:8080")));
    assert_false(cors_same_origin(STR(""), STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(several_sockets_share_the_port_they_were_given),
        cmocka_unit_test(origins_are_matched_whole),
        cmocka_unit_test(the_same_origin_has_the_same_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
