/* One mutex guards the list of slots, the current model and the retired ones; only publishing,
 * attaching and sweeping take it. A loop never does: it reads its own pointer, and its async
 * callback empties its own mailbox with one atomic exchange.
 *
 * Who holds references: `current` one, each slot's `model` one, each full mailbox one, and the list
 * `retired` one for every model that was replaced. So the last reference but ours disappears on a
 * loop without freeing anything there; the sweep finds a count of one and frees. Nobody can take a
 * new reference to a retired model: it is in no slot and not current any more. */
#include "service/live.h"

#include "base/vec.h"

#include <assert.h>
#include <pthread.h>

struct live_slot {
    struct live *live;
    struct live_slot *next;
    uv_async_t bell;
    struct model *model;          /* the loop's own */
    _Atomic(struct model *) mail; /* for the loop to collect */
};

struct live {
    pthread_mutex_t mutex;
    struct model *current;
    struct live_slot *slots;
    VEC(struct model *) retired;
};

struct live *live_new(struct error *err)
{
    struct live *live;
    if (!MEM_ZNEW(live, 1)) {
        error_set(err, ERR_NOMEM, "live model: out of memory");
        return NULL;
    }
    pthread_mutex_init(&live->mutex, NULL);
    return live;
}

void live_free(struct live *live)
{
    if (!live)
        return;
    assert(!live->slots);
    for (size_t i = 0; i < live->retired.count; i++)
        model_unref(live->retired.at[i]);
    VEC_FREE(&live->retired);
    model_unref(live->current);
    pthread_mutex_destroy(&live->mutex);
    free(live);
}

static void collect(uv_async_t *bell)
{
    struct live_slot *slot = bell->data;
    struct model *fresh = atomic_exchange(&slot->mail, NULL);
    if (!fresh)
        return;
    model_unref(slot->model);
    slot->model = fresh;
}

struct live_slot *live_attach(struct live *live, uv_loop_t *loop, struct error *err)
{
    struct live_slot *slot;
    if (!MEM_ZNEW(slot, 1)) {
        error_set(err, ERR_NOMEM, "live model: out of memory");
        return NULL;
    }
    int rc = uv_async_init(loop, &slot->bell, collect);
    if (rc != 0) {
        free(slot);
        error_set(err, ERR_INTERNAL, "live model: %s", uv_strerror(rc));
        return NULL;
    }
    slot->bell.data = slot;
    slot->live = live;
    pthread_mutex_lock(&live->mutex);
    if (live->current)
        slot->model = model_ref(live->current);
    slot->next = live->slots;
    live->slots = slot;
    pthread_mutex_unlock(&live->mutex);
    return slot;
}

static void free_slot(uv_handle_t *handle)
{
    free(handle->data);
}

void live_detach(struct live_slot *slot)
{
    struct live *live = slot->live;
    pthread_mutex_lock(&live->mutex);
    struct live_slot **at = &live->slots;
    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
    pthread_mutex_unlock(&live->mutex);
    model_unref(atomic_exchange(&slot->mail, NULL));
    model_unref(slot->model);
    slot->model = NULL;
    uv_close((uv_handle_t *)&slot->bell, free_slot);
}

struct model *live_get(struct live_slot *slot)
{
    return slot->model;
}

int live_publish(struct live *live, struct model *takes, struct error *err)
{
    assert(takes);
    live_sweep(live);
    pthread_mutex_lock(&live->mutex);
    if (live->current && !VEC_PUSH(&live->retired, live->current)) {
        pthread_mutex_unlock(&live->mutex);
        model_unref(takes);
        return error_set(err, ERR_NOMEM, "live model: out of memory");
    }
    live->current = takes;
    for (struct live_slot *slot = live->slots; slot; slot = slot->next) {
        model_unref(atomic_exchange(&slot->mail, model_ref(takes)));
        uv_async_send(&slot->bell);
    }
    pthread_mutex_unlock(&live->mutex);
    return 0;
}

struct model *live_ref(struct live *live)
{
    pthread_mutex_lock(&live->mutex);
    struct model *model = live->current ? model_ref(live->current) : NULL;
    pthread_mutex_unlock(&live->mutex);
    return model;
}

/* Takes one model that only the list holds out of it; NULL: none. */
static struct model *take_unused(struct live *live)
{
    struct model *found = NULL;
    pthread_mutex_lock(&live->mutex);
    for (size_t i = 0; i < live->retired.count && !found; i++) {
        /* Acquire: what its last other user did with it comes before our freeing it. */
        if (atomic_load_explicit(&live->retired.at[i]->refs, memory_order_acquire) == 1) {
            found = live->retired.at[i];
            live->retired.at[i] = live->retired.at[--live->retired.count];
        }
    }
    pthread_mutex_unlock(&live->mutex);
    return found;
}

void live_sweep(struct live *live)
{
    for (struct model *model = take_unused(live); model; model = take_unused(live))
        model_unref(model);
}

uint32_t live_retired(struct live *live)
{
    pthread_mutex_lock(&live->mutex);
    uint32_t count = (uint32_t)live->retired.count;
    pthread_mutex_unlock(&live->mutex);
    return count;
}
