/* Sorting by time, for what is numbered and small enough to be sorted as (time, number). */
#ifndef DATA_TIME_ORDER_H
#define DATA_TIME_ORDER_H

#include <stdint.h>

/* order[i]: which number comes at place i, by (time, number). The caller frees; NULL = out of
 * memory. */
uint32_t *order_by_time(const int64_t *time, uint32_t count);

#endif
