/* Blocks of text hang in a chain on their lane until it is first. Who is first is decided under the
 * lock; writing happens outside it, by the thread that owns the first lane, or by the one that
 * closed it and then writes the closed lanes behind it. `tail` gathers what is small, so that many
 * short lanes are few writes; only the writer of the moment touches it.
 *
 * The first lane never waits, so it gets to its end, and so does then the next one. */
#include "service/laneout.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES (64u << 10)
#define SPARE_MAX   64

struct outblock {
    struct outblock *next;
    size_t size, fill;
    char bytes[];
};

struct laneout {
    int fd;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the first lane, `pending`, `failed` */
    struct outlane *first, *last;
    struct outblock *spare;
    uint32_t spare_count;
    size_t pending; /* bytes in blocks of lanes that wait */
    atomic_bool failed;
    struct error failure;
    uint64_t written;
    size_t tail_fill;
    char tail[BLOCK_BYTES];
};

struct laneout *laneout_new(int fd)
{
    struct laneout *o;
    if (!MEM_NEW(o, 1))
        return NULL;
    memset(o, 0, offsetof(struct laneout, tail));
    o->fd = fd;
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->changed, NULL);
    return o;
}

static void free_blocks(struct outblock *b)
{
    while (b) {
        struct outblock *next = b->next;
        free(b);
        b = next;
    }
}

void laneout_free(struct laneout *o)
{
    if (!o)
        return;
    free_blocks(o->spare);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

static void fail(struct laneout *o, enum err code, int number)
{
    pthread_mutex_lock(&o->mutex);
    if (code == ERR_NOMEM)
        error_set(&o->failure, code, "output: out of memory");
    else
        error_set_errno(&o->failure, code, number, "writing");
    atomic_store(&o->failed, true);
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->mutex);
}

static void write_all(struct laneout *o, const char *bytes, size_t count)
{
    while (count > 0 && !atomic_load_explicit(&o->failed, memory_order_relaxed)) {
        ssize_t done = write(o->fd, bytes, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            fail(o, ERR_IO, errno);
            return;
        }
        bytes += done;
        count -= (size_t)done;
        o->written += (uint64_t)done;
    }
}

static void write_tail(struct laneout *o)
{
    write_all(o, o->tail, o->tail_fill);
    o->tail_fill = 0;
}

/* Only the writer of the moment. */
static void emit(struct laneout *o, const char *bytes, size_t count)
{
    if (count > BLOCK_BYTES - o->tail_fill || count > BLOCK_BYTES / 2)
        write_tail(o);
    if (count > BLOCK_BYTES / 2) {
        write_all(o, bytes, count);
    } else if (count) {
        memcpy(o->tail + o->tail_fill, bytes, count);
        o->tail_fill += count;
    }
}

static struct outblock *new_block(struct laneout *o, size_t bytes)
{
    struct outblock *b = NULL;
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    if (size == BLOCK_BYTES) {
        pthread_mutex_lock(&o->mutex);
        b = o->spare;
        if (b) {
            o->spare = b->next;
            o->spare_count--;
        }
        pthread_mutex_unlock(&o->mutex);
    }
    if (!b)
        b = mem_array(sizeof *b + size, 1);
    if (!b) {
        fail(o, ERR_NOMEM, 0);
        return NULL;
    }
    b->size = size;
    b->fill = 0;
    b->next = NULL;
    return b;
}

/* With the lock held. */
static void recycle(struct laneout *o, struct outblock *b)
{
    if (b->size != BLOCK_BYTES || o->spare_count >= SPARE_MAX) {
        free(b);
        return;
    }
    b->next = o->spare;
    o->spare = b;
    o->spare_count++;
}

/* The chain of the first lane; the lock is not held. */
static void write_full(struct outlane *lane)
{
    struct laneout *o = lane->out;
    struct outblock *chain = lane->full;
    size_t bytes = 0;
    lane->full = NULL;
    lane->full_end = &lane->full;
    for (struct outblock *b = chain; b; b = b->next) {
        emit(o, b->bytes, b->fill);
        bytes += b->size;
    }
    if (!chain)
        return;
    pthread_mutex_lock(&o->mutex);
    o->pending -= bytes;
    while (chain) {
        struct outblock *next = chain->next;
        recycle(o, chain);
        chain = next;
    }
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->mutex);
}

/* Hangs the lane's block on its chain and waits until there is room for another one or the lane is
 * first; true: it is. */
static bool wait_for_room(struct outlane *lane)
{
    struct laneout *o = lane->out;
    pthread_mutex_lock(&o->mutex);
    if (o->first != lane && lane->block) {
        *lane->full_end = lane->block;
        lane->full_end = &lane->block->next;
        o->pending += lane->block->size;
        lane->block = NULL;
    }
    while (o->first != lane && o->pending >= LANEOUT_PENDING_BYTES && !atomic_load(&o->failed))
        pthread_cond_wait(&o->changed, &o->mutex);
    bool first = o->first == lane;
    pthread_mutex_unlock(&o->mutex);
    return first;
}

bool laneout_more(struct outlane *lane, size_t bytes)
{
    struct laneout *o = lane->out;
    if (lane->block)
        lane->block->fill = (size_t)(lane->at - lane->block->bytes);
    if (wait_for_room(lane)) {
        write_full(lane);
        if (lane->block) {
            emit(o, lane->block->bytes, lane->block->fill);
            lane->block->fill = 0;
        }
    }
    if (atomic_load(&o->failed))
        return false;
    if (lane->block && lane->block->size < bytes) {
        free(lane->block);
        lane->block = NULL;
    }
    if (!lane->block)
        lane->block = new_block(o, bytes);
    if (!lane->block) {
        lane->at = lane->end = NULL;
        return false;
    }
    lane->at = lane->block->bytes;
    lane->end = lane->at + lane->block->size;
    return true;
}

struct outlane *laneout_open(struct laneout *o, struct outlane *after)
{
    struct outlane *lane;
    if (!MEM_NEW(lane, 1))
        return NULL;
    *lane = (struct outlane){.out = o};
    lane->full_end = &lane->full;
    pthread_mutex_lock(&o->mutex);
    if (!after)
        after = o->last;
    struct outlane **link = after ? &after->next : &o->first;
    lane->next = *link;
    *link = lane;
    if (!lane->next)
        o->last = lane;
    pthread_mutex_unlock(&o->mutex);
    return lane;
}

/* A closed lane's last block takes only the memory it fills. */
static void hang_last(struct outlane *lane)
{
    struct outblock *b = lane->block;
    lane->block = NULL;
    if (!b)
        return;
    b->fill = (size_t)(lane->at - b->bytes);
    if (b->fill < b->size / 2) {
        struct outblock *fitting = mem_resize(b, sizeof *b + b->fill, 1);
        b = fitting ? fitting : b;
        b->size = b->fill;
    }
    *lane->full_end = b;
    lane->full_end = &b->next;
    pthread_mutex_lock(&lane->out->mutex);
    lane->out->pending += b->size;
    pthread_mutex_unlock(&lane->out->mutex);
}

/* Writes the first lane, which is closed and was made first or closed by this thread, and the
 * closed ones behind it. One that is still open is written by who closes it. */
static void write_closed(struct laneout *o, struct outlane *lane)
{
    while (lane) {
        write_full(lane);
        pthread_mutex_lock(&o->mutex);
        struct outlane *next = o->first = lane->next;
        bool closed = next && next->closed;
        if (!next)
            o->last = NULL;
        pthread_cond_broadcast(&o->changed);
        pthread_mutex_unlock(&o->mutex);
        free(lane);
        lane = closed ? next : NULL;
    }
}

bool laneout_close(struct outlane *lane)
{
    struct laneout *o = lane->out;
    pthread_mutex_lock(&o->mutex);
    bool first = o->first == lane;
    pthread_mutex_unlock(&o->mutex);
    if (first) {
        write_full(lane);
        if (lane->block)
            emit(o, lane->block->bytes, (size_t)(lane->at - lane->block->bytes));
    }
    struct outblock *used = first ? lane->block : NULL;
    if (first)
        lane->block = NULL;
    else
        hang_last(lane);
    pthread_mutex_lock(&o->mutex);
    if (used)
        recycle(o, used);
    lane->closed = true;
    first = o->first == lane;
    pthread_mutex_unlock(&o->mutex);
    if (first)
        write_closed(o, lane);
    return !atomic_load(&o->failed);
}

int laneout_finish(struct laneout *o, struct error *err)
{
    write_tail(o);
    return atomic_load(&o->failed) ? error_set(err, o->failure.code, "%s", o->failure.text) : 0;
}

uint64_t laneout_bytes(const struct laneout *o)
{
    return o->written + o->tail_fill;
}
