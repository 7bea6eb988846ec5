/* What putting in place and loading share. */
#ifndef SERVICE_MEMORY_INTERNAL_H
#define SERVICE_MEMORY_INTERNAL_H

#include "service/memory.h"

#include "service/shop.h"

#define MEMORY_NOT_BEGUN UINT64_MAX /* of last_event */

/* Puts changes in place: an op's everywhere, as far as no slice will bring them, or a slice's in
 * the histories or the overlay of that number. ERR_NOMEM: memory_restart. */
#define TARGET_ALL       (-1)
#define TARGET_HISTORIES (-2)
int memory_put(struct shop *shop, const struct memory_changes *changes, int target,
               struct error *err) WARN_UNUSED;

int memory_note(struct memory_changes *changes, struct memory_change change,
                struct error *err) WARN_UNUSED;

#endif
