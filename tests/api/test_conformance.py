"""49 raw requests, most of them ways to smuggle one past a proxy, each with the answer it must get.

P is POST /recommend with the body "{} " (an empty question is answered with popular items), G is GET /livez. Cases
marked "pinned" are invisible to a program behind libmicrohttpd 0.9.75: the test holds today's answer."""
import re
import socket

import pytest

SMUGGLED = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSED = 0  # no answer at all


def get(extra=b"", target=b"/livez", version=b"HTTP/1.1", host=b"Host: a\r\n", method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\n" + host + extra + b"\r\n"


def post(extra, body=b"{} ", version=b"HTTP/1.1"):
    return b"POST /recommend " + version + b"\r\nHost: a\r\n" + extra + b"\r\n" + body


def chunked(body, extra=b"Transfer-Encoding: chunked\r\n", **more):
    return post(extra, body, **more)


CASES = {
    "01 plain": (get(), [200]),
    "02 no host": (get(host=b""), [400]),
    "03 two hosts": (get(b"Host: b\r\n"), [400]),
    "04 content-length twice": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"{} " + SMUGGLED), [400]),
    "05 content-length 3 and 0": (post(b"Content-Length: 3\r\nContent-Length: 0\r\n", b"{} " + SMUGGLED), [400]),
    "06 content-length list": (post(b"Content-Length: 3, 3\r\n"), [400]),
    "07 content-length +3": (post(b"Content-Length: +3\r\n"), [400]),
    "08 content-length -1": (post(b"Content-Length: -1\r\n"), [400]),
    "09 content-length 0x3": (post(b"Content-Length: 0x3\r\n"), [400]),
    "10 content-length 2^64": (post(b"Content-Length: 18446744073709551616\r\n"), [413]),
    "11 content-length 2^63": (post(b"Content-Length: 9223372036854775808\r\n"), [413]),
    "12 length and chunked": (post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
                              [400]),
    "13 length and xchunked": (post(b"Content-Length: 3\r\nTransfer-Encoding: xchunked\r\n"), [400]),
    "14 identity, chunked": (chunked(b"0\r\n\r\n", b"Transfer-Encoding: identity, chunked\r\n"), [400]),
    "15 chunked twice": (chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), [400]),
    "16 space before the colon": (post(b"Content-Length: 3\r\nTransfer-Encoding : chunked\r\n"), [400]),
    "17 chunked in 1.0": (chunked(b"3\r\n{} \r\n0\r\n\r\n", version=b"HTTP/1.0"), [400]),
    "18 chunk size -3": (chunked(b"-3\r\n{} \r\n0\r\n\r\n"), [400]),
    "19 chunk size 2^64 + 3": (chunked(b"10000000000000003\r\n{} \r\n0\r\n\r\n"), [413]),
    "20 chunk size 0x3": (chunked(b"0x3\r\n{} \r\n0\r\n\r\n"), [400]),
    "21 chunk extension": (chunked(b"3;a=b\r\n{} \r\n0\r\n\r\n"), [200]),
    "22 chunk lines with bare LF (pinned)": (chunked(b"3\n{} \n0\n\n"), [200]),
    "23 head with bare LF (pinned)": (get().replace(b"\r\n", b"\n"), [200]),
    "24 bare CR in a value": (get(b"X: a\rY: b\r\n"), [400]),
    "25 folded line (pinned)": (get(b"X: a\r\n b\r\n"), [200]),
    "25b folded Content-Length": (post(b"Content-Length:\r\n 3\r\n", b"{} " + SMUGGLED), [400]),
    "25c folded Transfer-Encoding": (post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + SMUGGLED), [400]),
    "26 NUL in a value (pinned)": (get(b"X: a\0b\r\n"), [200]),
    "27 line without colon": (get(b"garbage\r\n"), [400]),
    "28 space before the first field": (get(host=b" Host: a\r\n"), [400]),
    "29 HTTP/1.2": (get(version=b"HTTP/1.2"), [400]),
    "30 HTTP/2.0": (get(version=b"HTTP/2.0"), [505]),
    "31 no version": (b"GET /\r\n\r\n", [400]),
    "32 HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505]),
    "33 absolute target": (get(target=b"http://x/y"), [400]),
    "34 encoded NUL": (get(target=b"/livez%00b"), [400]),
    "35 dot segments": (get(target=b"/%2e%2e/%2e%2e/etc/passwd"), [404]),
    "36 encoded CR LF": (get(target=b"/livez%0d%0aX:b"), [400]),
    "37 raw NUL in the target (pinned)": (get(target=b"/livez\0b"), [200]),
    "38 lower-case method": (get(method=b"get"), [501]),
    "39 blank in the target": (get(target=b"/a b"), [CLOSED]),
    "40 target of 16,000 bytes": (get(target=b"/" + b"a" * 15999), [414]),
    "41 target of 40,000 bytes": (get(target=b"/" + b"a" * 39999), [414]),
    "42 field of 40,000 bytes": (get(b"X: " + b"a" * 40000 + b"\r\n"), [431]),
    "43 1,000 fields": (get(b"X: y\r\n" * 1000), [431]),
    "44 5,000 fields": (get(b"X: y\r\n" * 5000), [431]),
    "46 expect foo": (post(b"Content-Length: 3\r\nExpect: foo\r\n", b""), [417]),
    "47 three pipelined": (get() * 3, [200, 200, 200]),
    "48 binary": (bytes(range(256)) * 4, [400]),
    "49 get with a body": (get(b"Content-Length: 3\r\n") + b"abc" + get(), [200, 200]),
}


def exchange(port, data, answers=1):
    """What comes until the connection ends, or until `answers` are there and nothing follows."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        try:
            s.sendall(data)
        except OSError:
            pass  # it was refused before all of it was there
        try:
            while True:
                s.settimeout(0.2 if len(statuses(got)) >= answers else 10)
                piece = s.recv(65536)
                if not piece:
                    return got
                got += piece
        except (ConnectionResetError, TimeoutError):
            assert len(statuses(got)) >= answers or answers == 0, got
            return got


def statuses(got):
    return [int(code) for code in re.findall(rb"(?:^|\n|\})HTTP/1\.[01] (\d{3}) ", got)]


@pytest.mark.parametrize("name", CASES)
def test_raw_request(server, name):
    data, expected = CASES[name]
    got = exchange(server.port, data, len(expected))
    found = statuses(got)
    if found == expected * 2 and b"<html>" in got:
        found = expected  # the library sends the head of its own refusals twice
    assert found == ([] if expected == [CLOSED] else expected), got
    assert b'"libraries"' not in got  # the smuggled request was not served
    if expected[-1] >= 400 and expected[-1] != 404:
        assert b"connection: close" in got.lower()


def test_45_expect_continue_is_asked_for_and_refused_without(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(post(b"Content-Length: 3\r\nExpect: 100-continue\r\n", b""))
        assert s.recv(4096).startswith(b"HTTP/1.1 100 ")
        s.sendall(b"{} ")
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
    got = exchange(server.port, post(b"Content-Length: 99999999\r\nExpect: 100-continue\r\n", b""))
    assert statuses(got) == [413]


def test_a_refused_body_is_not_read_and_the_connection_ends(server):
    """401, 404, 405 and 415 too: what was announced as a body must never be taken for a request."""
    for target in (b"/nowhere", b"/livez", b"/rules"):
        got = exchange(server.port, b"POST " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n" + SMUGGLED)
        assert statuses(got) in ([404], [405]) and b'"libraries"' not in got


def test_keep_alive_goes_on_after_an_error_without_a_body(server):
    got = exchange(server.port, get(target=b"/nowhere") + get(target=b"/recommend?limit=x") + get(), 3)
    assert statuses(got) == [404, 400, 200]


def test_http_1_0_is_answered_and_closed(server):
    got = exchange(server.port, b"GET /livez HTTP/1.0\r\n\r\n", 2)
    assert statuses(got) == [200] and got.endswith(b"ok\n")


def test_a_chunked_json_body_over_the_limit_is_413(server):
    piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    got = exchange(server.port, chunked(piece * 5 + b"0\r\n\r\n"))
    assert statuses(got) == [413]


def test_chunk_floods_end(server):
    """Bodies that go on for ever after their refusal are cut off."""
    got = exchange(server.port, chunked((b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 400 + b"0\r\n\r\n"))
    assert statuses(got) in ([], [413])
    assert server.get("/livez").status_code == 200
