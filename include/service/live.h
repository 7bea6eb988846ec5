/* Which model answers. Each event loop owns a slot with its own pointer; publishing puts the new
 * model in every slot's mailbox and rings its uv_async, the loop swaps when it gets to it: no lock,
 * no failed request. A replaced model is kept until nobody else refers to it and then freed off the
 * loops (live_sweep). Threads that are not loops take a reference with live_ref. */
#ifndef SERVICE_LIVE_H
#define SERVICE_LIVE_H

#include "engine/model.h"

#include <uv.h>

struct live;
struct live_slot;

struct live *live_new(struct error *err) WARN_UNUSED;
void live_free(struct live *live); /* all slots detached and their loops run to the end */

/* On the loop's thread or before it runs; starts with the model that is live. */
struct live_slot *live_attach(struct live *live, uv_loop_t *loop, struct error *err) WARN_UNUSED;
void live_detach(struct live_slot *slot); /* on its loop, then uv_run until it is closed */
/* On its own loop: borrowed until control returns to the loop; NULL: no model yet. */
struct model *live_get(struct live_slot *slot);

/* Any thread; takes the caller's reference. ERR_NOMEM: the old one stays, `takes` is released. */
int live_publish(struct live *live, struct model *takes, struct error *err) WARN_UNUSED;
struct model *live_ref(struct live *live); /* any thread; NULL: none; caller unrefs */
void live_sweep(struct live *live);        /* not on a loop: frees replaced models */
uint32_t live_retired(struct live *live);  /* replaced models still referred to */
#endif
