/* Wall and monotonic time. Tests replace the wall clock with clock_set_for_test. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);   /* since 1970 UTC; may jump */
uint64_t clock_mono_ns(void);  /* never runs backwards */
double clock_cpu_s(void);      /* CPU seconds of the process so far */
uint64_t clock_peak_rss(void); /* bytes of the process's largest resident size so far */

void clock_set_for_test(int64_t wall_ms); /* 0: the real clock again */

#endif
