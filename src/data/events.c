#include "data/events.h"

#include <math.h>

#define DAY_MS (24 * 3600 * 1000.0)

int action_parse(struct str name)
{
    static const struct str names[] = {
        {"view", 4}, {"cart", 4}, {"uncart", 6}, {"wish", 4}, {"purchase", 8}};
    _Static_assert(sizeof names / sizeof *names == ACTION_COUNT, "all actions");
    for (int a = 0; a < ACTION_COUNT; a++)
        if (str_eq(name, names[a]))
            return a;
    return -1;
}

struct event_weights event_weights_default(void)
{
    return (struct event_weights){.of = {[ACTION_VIEW] = {0.1, 14},
                                         [ACTION_CART] = {0.5, 30},
                                         [ACTION_UNCART] = {0, 0},
                                         [ACTION_WISH] = {0.3, 30},
                                         [ACTION_PURCHASE] = {1, 0}}};
}

double event_weight_at(const struct event_weight *w, int64_t age_ms)
{
    if (w->half_life_days <= 0 || age_ms <= 0)
        return w->weight;
    return w->weight * exp2(-(double)age_ms / (w->half_life_days * DAY_MS));
}
