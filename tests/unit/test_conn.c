#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/conn.h"
#include "support/oom.h"

#include <sys/socket.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define MIB    (1u << 20)

struct pair {
    struct conns list;
    struct conn *conn;
    int ours, theirs;
};

static void open_pair(struct pair *p)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    conns_init(&p->list, 5000, 30000, 60000);
    p->ours = fds[0];
    p->theirs = fds[1];
    p->conn = conns_add(&p->list, p->ours, 0);
    assert_non_null(p->conn);
    assert_int_equal(p->list.count, 1);
}

static void close_pair(struct pair *p)
{
    conns_remove(&p->list, p->conn);
    assert_int_equal(p->list.count, 0);
    assert_null(p->list.first);
    close(p->ours);
    close(p->theirs);
}

static bool is_shut(const struct pair *p)
{
    char byte;
    return recv(p->theirs, &byte, 1, MSG_DONTWAIT) == 0;
}

static void expect_alive_until(struct pair *p, uint64_t seconds)
{
    assert_int_equal(conns_reap(&p->list, seconds * SECOND - 1), 0);
    assert_false(is_shut(p));
    assert_int_equal(conns_reap(&p->list, seconds * SECOND), 1);
    assert_true(is_shut(p));
    assert_int_equal(conns_reap(&p->list, 1000000 * SECOND), 0); /* once */
}

static void a_first_head_has_the_header_timeout(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    expect_alive_until(&p, 5);
    close_pair(&p);
}

static void an_idle_connection_has_the_idle_timeout(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    conn_enter(&p.list, p.conn, CONN_IDLE, 10 * SECOND);
    expect_alive_until(&p, 70);
    close_pair(&p);
}

static void a_later_head_has_the_header_timeout_within_the_idle_one(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    conn_enter(&p.list, p.conn, CONN_IDLE, 10 * SECOND);
    conn_enter(&p.list, p.conn, CONN_HEAD, 20 * SECOND);
    expect_alive_until(&p, 25);
    close_pair(&p);
    open_pair(&p);
    conn_enter(&p.list, p.conn, CONN_IDLE, 10 * SECOND);
    conn_enter(&p.list, p.conn, CONN_HEAD, 68 * SECOND);
    expect_alive_until(&p, 70);
    close_pair(&p);
}

static void a_body_has_more_time_for_each_mebibyte(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    conn_enter(&p.list, p.conn, CONN_BODY, 10 * SECOND);
    conn_moved(&p.list, p.conn, MIB - 1);
    assert_int_equal(p.conn->deadline_ns, 40 * SECOND);
    conn_moved(&p.list, p.conn, 1);
    assert_int_equal(p.conn->deadline_ns, 70 * SECOND);
    conn_moved(&p.list, p.conn, 2 * MIB);
    expect_alive_until(&p, 130);
    close_pair(&p);
}

static void a_waiting_client_has_all_the_time(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    conn_enter(&p.list, p.conn, CONN_WORK, 10 * SECOND);
    conn_moved(&p.list, p.conn, MIB);
    assert_int_equal(conns_reap(&p.list, 1000000 * SECOND), 0);
    assert_false(is_shut(&p));
    conns_close_all(&p.list);
    assert_true(is_shut(&p));
    close_pair(&p);
}

static void only_idle_ones_are_closed_by_a_drain(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    conn_enter(&p.list, p.conn, CONN_REPLY, 10 * SECOND);
    conns_close_idle(&p.list);
    assert_false(is_shut(&p));
    conn_enter(&p.list, p.conn, CONN_IDLE, 10 * SECOND);
    conns_close_idle(&p.list);
    assert_true(is_shut(&p));
    close_pair(&p);
}

static void connections_leave_the_list_in_any_order(void **state)
{
    (void)state;
    struct conns list;
    struct conn *c[3];
    conns_init(&list, 1, 1, 1);
    for (int i = 0; i < 3; i++) {
        c[i] = conns_add(&list, -1, 0);
        assert_non_null(c[i]);
    }
    conns_remove(&list, c[1]);
    assert_ptr_equal(list.first, c[2]);
    assert_ptr_equal(c[2]->next, c[0]);
    assert_ptr_equal(c[0]->prev, c[2]);
    conns_remove(&list, c[2]);
    assert_ptr_equal(list.first, c[0]);
    conns_remove(&list, c[0]);
    assert_int_equal(list.count, 0);
    oom_fail_at(1);
    assert_null(conns_add(&list, -1, 0));
    oom_disarm();
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_head_has_the_header_timeout),
        cmocka_unit_test(an_idle_connection_has_the_idle_timeout),
        cmocka_unit_test(a_later_head_has_the_header_timeout_within_the_idle_one),
        cmocka_unit_test(a_body_has_more_time_for_each_mebibyte),
        cmocka_unit_test(a_waiting_client_has_all_the_time),
        cmocka_unit_test(only_idle_ones_are_closed_by_a_drain),
        cmocka_unit_test(connections_leave_the_list_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
