/* Which model answers. Each event loop owns a slot with its own pointer; publishing puts the new
 * model in every slot's mailbox and rings its uv_async, the loop swaps when it gets to it (no lock,
 * no failed request), the last reference frees the old one off the loops. Threads that are not
 * loops take a reference with live_ref. */
#ifndef SERVICE_LIVE_H
#define SERVICE_LIVE_H

#include "engine/model.h"

#include <uv.h>

struct live;
struct live_slot;

struct live *live_new(struct error *err) WARN_UNUSED;
void live_free(struct live *live); /* all slots detached */

struct live_slot *live_attach(struct live *live, uv_loop_t *loop,
                              struct error *err) WARN_UNUSED; /* before uv_run */
void live_detach(struct live_slot *slot); /* on its loop, then uv_run until it is closed */
/* On its own loop: borrowed until control returns to the loop; NULL: no model yet. */
struct model *live_get(struct live_slot *slot);

void live_publish(struct live *live, struct model *takes); /* any thread; NULL is not allowed */
struct model *live_ref(struct live *live); /* any thread; NULL: none; caller unrefs */
#endif
