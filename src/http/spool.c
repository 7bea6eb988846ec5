/* One buffer: it fills on the loop, then the pool has it while the connection sleeps. The last
 * piece is followed by the fsync of file and directory, so that the job that is made next can
 * promise to import it. */
#include "http/spool.h"

#include "base/mem.h"
#include "http/loop.h"
#include "http/respond.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES (256u << 10)

struct spool {
    uv_work_t drop;
    struct request *request;
    struct shop *shop;
    struct buf filled;
    char name[64]; /* "": no file yet */
    int fd;
    bool last, kept;
    struct error err;
};

struct spool *spool_new(struct request *r, struct str first)
{
    struct spool *s;
    if (!MEM_ZNEW(s, 1))
        return NULL;
    s->request = r;
    s->shop = request_shop(r);
    s->fd = -1;
    s->drop.data = s;
    buf_init(&s->filled, 0);
    buf_str(&s->filled, first);
    if (s->filled.failed) {
        buf_deinit(&s->filled);
        free(s);
        return NULL;
    }
    return s;
}

static int write_all(int fd, const char *bytes, size_t count, struct error *err)
{
    while (count > 0) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, ERR_IO, errno, "spool");
        bytes += n;
        count -= (size_t)n;
    }
    return 0;
}

/* On the pool. */
static void write_block(struct request *r)
{
    struct spool *s = r->spool;
    int rc = 0;
    if (s->fd < 0)
        rc = spool_create(s->shop, s->name, &s->fd, &s->err);
    if (rc == 0)
        rc = write_all(s->fd, s->filled.ptr, s->filled.len, &s->err);
    if (rc == 0 && s->last) {
        rc = spool_commit(s->shop, s->fd, &s->err);
        s->fd = -1;
    }
    assert((rc == 0) == (s->err.code == OK));
    buf_clear(&s->filled);
}

static int go_on(struct request *r)
{
    return r->spool->err.code == OK ? GO_ON : respond_error(r, &r->spool->err);
}

int spool_feed(struct spool *s, struct str bytes)
{
    if (s->filled.len >= BLOCK_BYTES)
        return request_offload(s->request, write_block, go_on);
    buf_str(&s->filled, bytes);
    if (s->filled.failed)
        return respond_problem(s->request, 503, "out of memory");
    return GO_ON;
}

int spool_finish(struct spool *s, int (*resume)(struct request *r))
{
    s->last = true;
    return request_offload(s->request, write_block, resume);
}

int spool_finished(struct spool *s, char name[64])
{
    memcpy(name, s->name, sizeof s->name);
    return s->err.code == OK ? 0 : respond_error(s->request, &s->err);
}

void spool_keep(struct spool *s)
{
    s->kept = true;
}

static void drop_file(uv_work_t *work)
{
    struct spool *s = work->data;
    if (s->fd >= 0)
        close(s->fd);
    spool_drop(s->shop, s->name);
}

static void dropped(uv_work_t *work, int status)
{
    (void)status;
    struct spool *s = work->data;
    buf_deinit(&s->filled);
    free(s);
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    bool has_file = s->name[0] && !s->kept;
    if (!has_file || uv_queue_work(&s->request->loop->uv, &s->drop, drop_file, dropped) != 0)
        dropped(&s->drop, 0);
}
