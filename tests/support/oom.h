/* Allocation failure on demand: the n-th malloc, calloc or realloc of our own code from now on
 * fails, all others succeed. And how much of it is held. Linked into every unit test with
 * -Wl,--wrap; library code is not affected. */
#ifndef SUPPORT_OOM_H
#define SUPPORT_OOM_H

#include <stdbool.h>
#include <stdint.h>

void oom_fail_at(long n); /* 1: the next one */
void oom_disarm(void);
long oom_count(void); /* allocations since the last oom_fail_at or oom_disarm */
bool oom_fired(void); /* the failure has happened */

/* The most bytes that were held at a time since heap_watch, beyond what was held then. What our
 * code frees of a library's counts as freed. */
void heap_watch(void);
uint64_t heap_most(void);
uint64_t heap_held(void); /* now */

/* Runs `body` with the 1st, 2nd, … allocation failing until it runs without meeting the failure:
 *
 *     OOM_LOOP {
 *         int rc = thing(…);
 *         if (oom_fired()) assert_int_equal(rc, ERR_NOMEM);
 *     }
 */
#define OOM_LOOP                                                                                   \
    for (long oom_n = 1, oom_more = 1; oom_more && (oom_fail_at(oom_n), 1);                        \
         oom_more = oom_fired(), oom_disarm(), oom_n++)

#endif
