/* Floating-point results that may differ in the last digits. */
#ifndef TESTS_SUPPORT_NEAR_H
#define TESTS_SUPPORT_NEAR_H

#include <math.h>
#include <stdio.h>

/* Says both when they differ; NAN is near nothing. */
#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        double near_a = (a), near_b = (b);                                                         \
        if (!(fabs(near_a - near_b) <= (tolerance)))                                               \
            fail_msg("%s is %.12g, not %.12g", #a, near_a, near_b);                                \
    } while (0)

#endif
