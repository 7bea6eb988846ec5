#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/live.h"
#include "support/oom.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

static struct model *model_with_id(int64_t id)
{
    struct model *model = model_new(NULL);
    assert_non_null(model);
    model->id = id;
    return model;
}

static void publish(struct live *live, int64_t id)
{
    assert_int_equal(live_publish(live, model_with_id(id), NULL), 0);
}

static void a_loop_swaps_when_it_gets_to_it(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct live *live = live_new(NULL);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct live_slot *slot = live_attach(live, &loop, NULL);
    assert_null(live_get(slot));
    publish(live, 1);
    assert_null(live_get(slot));
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(live_get(slot)->id, 1);
    publish(live, 2);
    publish(live, 3); /* the loop missed 2 */
    assert_int_equal(live_get(slot)->id, 1);
    live_sweep(live);
    assert_int_equal(live_retired(live), 1); /* 2 was in the mailbox only */
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(live_get(slot)->id, 3);
    live_sweep(live);
    assert_int_equal(live_retired(live), 0);
    live_detach(slot);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    live_free(live);
}

static void a_new_loop_starts_with_the_live_model(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct live *live = live_new(NULL);
    publish(live, 7);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct live_slot *slot = live_attach(live, &loop, NULL);
    assert_int_equal(live_get(slot)->id, 7);
    live_detach(slot);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    live_free(live);
}

static void a_replaced_model_lives_as_long_as_somebody_holds_it(void **state)
{
    (void)state;
    struct live *live = live_new(NULL);
    assert_null(live_ref(live));
    publish(live, 1);
    struct model *held = live_ref(live);
    publish(live, 2);
    live_sweep(live);
    assert_int_equal(live_retired(live), 1);
    assert_int_equal(held->id, 1);
    model_unref(held);
    live_sweep(live);
    assert_int_equal(live_retired(live), 0);
    live_free(live);
}

static void no_memory_keeps_the_old_model(void **state)
{
    (void)state;
    struct live *live = NULL;
    OOM_LOOP
    {
        live_free(live);
        live = live_new(NULL);
        assert_true((live == NULL) == oom_fired());
    }
    publish(live, 1);
    struct model *second = model_with_id(2);
    oom_fail_at(1); /* the list of retired models grows */
    assert_int_equal(live_publish(live, second, NULL), ERR_NOMEM);
    oom_disarm();
    struct model *now = live_ref(live);
    assert_int_equal(now->id, 1);
    model_unref(now);
    live_free(live);
}

enum { LOOPS = 4, PUBLISHED = 300 };

struct looper {
    pthread_t thread;
    uv_loop_t loop;
    uv_timer_t ticker;
    struct live *live;
    struct live_slot *slot;
    int64_t last;
    uint32_t looks;
    bool went_back;
    sem_t *ready;
};

/* What a request does: look at the model, more than once, between two turns of the loop. */
static void look(uv_timer_t *ticker)
{
    struct looper *self = ticker->data;
    struct model *model = live_get(self->slot);
    self->looks++;
    if (!model)
        return;
    int64_t id = model->id;
    self->went_back = self->went_back || id < self->last || live_get(self->slot)->id != id;
    self->last = id;
    if (id < PUBLISHED)
        return;
    live_detach(self->slot);
    uv_timer_stop(ticker);
    uv_close((uv_handle_t *)ticker, NULL);
}

static void *run_loop(void *context)
{
    struct looper *self = context;
    uv_loop_init(&self->loop);
    self->slot = live_attach(self->live, &self->loop, NULL);
    uv_timer_init(&self->loop, &self->ticker);
    self->ticker.data = self;
    uv_timer_start(&self->ticker, look, 0, 1);
    sem_post(self->ready);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    uv_loop_close(&self->loop);
    return NULL;
}

static void four_loops_follow_a_publisher(void **state)
{
    (void)state;
    static struct looper loopers[LOOPS];
    sem_t ready;
    struct live *live = live_new(NULL);
    sem_init(&ready, 0, 0);
    for (int i = 0; i < LOOPS; i++) {
        loopers[i] = (struct looper){.live = live, .ready = &ready};
        assert_int_equal(pthread_create(&loopers[i].thread, NULL, run_loop, &loopers[i]), 0);
    }
    for (int i = 0; i < LOOPS; i++)
        sem_wait(&ready);
    for (int64_t id = 1; id <= PUBLISHED; id++) {
        publish(live, id);
        live_sweep(live);
        usleep(id % 16 ? 0 : 2000);
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(loopers[i].thread, NULL);
        assert_false(loopers[i].went_back);
        assert_int_equal(loopers[i].last, PUBLISHED);
        assert_true(loopers[i].looks > 0);
    }
    live_sweep(live);
    assert_int_equal(live_retired(live), 0);
    live_free(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_swaps_when_it_gets_to_it),
        cmocka_unit_test(a_new_loop_starts_with_the_live_model),
        cmocka_unit_test(a_replaced_model_lives_as_long_as_somebody_holds_it),
        cmocka_unit_test(no_memory_keeps_the_old_model),
        cmocka_unit_test(four_loops_follow_a_publisher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
