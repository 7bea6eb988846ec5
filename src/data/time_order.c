/* A radix sort over 11 bits at a time of the time since the earliest, as many passes as the span
 * needs; none when the times ascend as they are. */
#include "time_order.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

struct sort_entry {
    uint64_t time; /* since the earliest */
    uint32_t number;
};

/* One stable pass of the radix sort over 11 bits of the time. */
static void radix_pass(const struct sort_entry *from, struct sort_entry *to, uint32_t count,
                       unsigned shift)
{
    uint32_t next[2048] = {0};
    for (uint32_t i = 0; i < count; i++)
        next[(from[i].time >> shift) & 2047]++;
    uint32_t before = 0;
    for (uint32_t digit = 0; digit < 2048; digit++) {
        uint32_t here = next[digit];
        next[digit] = before;
        before += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[next[(from[i].time >> shift) & 2047]++] = from[i];
}

uint32_t *order_by_time(const int64_t *time, uint32_t count)
{
    uint32_t *order;
    struct sort_entry *from = NULL, *to = NULL;
    if (!MEM_NEW(order, count))
        return NULL;
    bool ascending = true;
    int64_t first = count ? time[0] : 0, last = first;
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
        ascending = ascending && (i == 0 || time[i - 1] <= time[i]);
        first = time[i] < first ? time[i] : first;
        last = time[i] > last ? time[i] : last;
    }
    if (ascending)
        return order;
    if (!MEM_NEW(from, count) || !MEM_NEW(to, count)) {
        free(order);
        order = NULL;
        goto done;
    }
    for (uint32_t i = 0; i < count; i++)
        from[i] = (struct sort_entry){(uint64_t)time[i] - (uint64_t)first, i};
    uint64_t span = (uint64_t)last - (uint64_t)first;
    for (unsigned shift = 0; shift < 64 && span >> shift; shift += 11) {
        radix_pass(from, to, count, shift);
        struct sort_entry *swap = from;
        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < count; i++)
        order[i] = from[i].number;
done:
    free(from);
    free(to);
    return order;
}
