/* The queue between many submitters and one worker: a linked list under a mutex. The ops carry
 * their own link, so that handing over work allocates nothing and cannot fail for memory. The
 * worker takes everything that fits one transaction in one go. */
#include "service/op.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

int op_queue_init(struct op_queue *q, uint32_t max, struct error *err)
{
    *q = (struct op_queue){.max = max};
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return error_set(err, ERR_NOMEM, "queue: out of memory");
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&q->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed)
        return error_set(err, ERR_NOMEM, "queue: out of memory");
    pthread_mutex_init(&q->mutex, NULL);
    return 0;
}

void op_queue_deinit(struct op_queue *q)
{
    assert(!q->head);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->mutex);
}

int op_queue_push(struct op_queue *q, struct op *op, bool urgent, struct error *err)
{
    assert(op->run && op->done);
    op->next = NULL;
    op->result = 0;
    op->ran = false;
    error_clear(&op->err);
    pthread_mutex_lock(&q->mutex);
    int result = 0;
    if (q->stopping) {
        result = error_set(err, ERR_NOT_READY, "shutting down");
    } else if (q->max && q->count >= q->max && !urgent) {
        result = error_set(err, ERR_LIMIT, "%u requests wait already", q->count);
    } else {
        if (q->tail)
            q->tail->next = op;
        else
            q->head = op;
        q->tail = op;
        if (q->count++ == 0)
            pthread_cond_signal(&q->wake);
    }
    pthread_mutex_unlock(&q->mutex);
    return result;
}

static struct timespec deadline_in(int64_t timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += timeout_ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Under the mutex. */
static void wait_for_work(struct op_queue *q, int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        while (!q->head && !q->stopping)
            pthread_cond_wait(&q->wake, &q->mutex);
        return;
    }
    struct timespec deadline = deadline_in(timeout_ms);
    while (!q->head && !q->stopping)
        if (pthread_cond_timedwait(&q->wake, &q->mutex, &deadline) == ETIMEDOUT)
            return;
}

struct op *op_queue_pop(struct op_queue *q, uint32_t cost, int64_t timeout_ms, bool *ended)
{
    pthread_mutex_lock(&q->mutex);
    wait_for_work(q, timeout_ms);
    *ended = !q->head && q->stopping;
    struct op *first = q->head, *last = NULL;
    for (uint64_t sum = 0; q->head && sum < cost; q->head = q->head->next) {
        last = q->head;
        sum += last->cost ? last->cost : 1;
        q->count--;
    }
    if (last)
        last->next = NULL;
    if (!q->head)
        q->tail = NULL;
    pthread_mutex_unlock(&q->mutex);
    return first;
}

void op_queue_stop(struct op_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->stopping = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->mutex);
}
