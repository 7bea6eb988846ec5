/* The floor that basketd's HTTP side is measured against: one epoll loop that finds the blank line
 * of a request and sends a file's bytes as the answer, without looking at what was asked.
 *
 *     bare_responder FILE    prints the port it listens on (loopback), serves until killed
 *
 * FILE holds a whole answer, head and body, as basketd sent it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define REQUEST_MAX 4096
#define ANSWER_MAX  (1u << 20)

struct client {
    size_t fill;
    char request[REQUEST_MAX];
};

struct responder {
    int epoll, listener;
    size_t answer_bytes;
    char answer[ANSWER_MAX];
    struct client clients[CLIENTS_MAX]; /* by descriptor */
};

static int fail(const char *what)
{
    fprintf(stderr, "bare_responder: %s: %s\n", what, strerror(errno));
    return 1;
}

static int load(struct responder *r, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(path);
    r->answer_bytes = fread(r->answer, 1, sizeof r->answer, file);
    fclose(file);
    return r->answer_bytes > 0 ? 0 : fail("empty answer");
}

static int start(struct responder *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    struct epoll_event event = {.events = EPOLLIN};
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(r->listener, 1024) != 0 ||
        getsockname(r->listener, (struct sockaddr *)&address, &size) != 0)
        return fail("listen");
    r->epoll = epoll_create1(0);
    event.data.fd = r->listener;
    if (r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &event) != 0)
        return fail("epoll");
    printf("%u\n", ntohs(address.sin_port));
    return fflush(stdout) == 0 ? 0 : fail("stdout");
}

static void take_client(struct responder *r)
{
    int on = 1;
    int fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    if (fd < 0)
        return;
    if (fd >= CLIENTS_MAX || epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    r->clients[fd].fill = 0;
}

/* One answer for each blank line; a request never spans more than the buffer here. */
static void answer(struct responder *r, int fd)
{
    struct client *c = &r->clients[fd];
    ssize_t n = recv(fd, c->request + c->fill, REQUEST_MAX - c->fill, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            close(fd);
        return;
    }
    c->fill += (size_t)n;
    for (char *end; (end = memmem(c->request, c->fill, "\r\n\r\n", 4));) {
        size_t used = (size_t)(end + 4 - c->request);
        if (send(fd, r->answer, r->answer_bytes, MSG_NOSIGNAL) != (ssize_t)r->answer_bytes) {
            close(fd);
            return;
        }
        memmove(c->request, end + 4, c->fill - used);
        c->fill -= used;
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct responder *r = calloc(1, sizeof *r);
    if (argc != 2 || !r)
        return fprintf(stderr, "usage: bare_responder FILE\n"), 2;
    if (load(r, argv[1]) != 0 || start(r) != 0)
        return 1;
    for (;;) {
        int count = epoll_wait(r->epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == r->listener)
                take_client(r);
            else
                answer(r, events[i].data.fd);
        }
    }
}
