#include "support/topfreq.h"

#include <math.h>

static uint32_t count_orders(const struct history *of)
{
    uint32_t orders = 0;
    for (uint64_t x = 0; x < of->count; x++)
        orders += x == 0 || of->time_ms[x] != of->time_ms[x - 1];
    return orders;
}

static void add_own(const struct topfreq_params *p, const struct history *of, float *score)
{
    double decay = p && p->decay > 0 ? p->decay : 1;
    uint32_t orders = count_orders(of), order = 0;
    double weight = pow(decay, orders ? orders - 1.0 : 0);
    for (uint64_t x = 0; x < of->count; x++) {
        if (x > 0 && of->time_ms[x] != of->time_ms[x - 1])
            weight = pow(decay, orders - 1.0 - ++order);
        score[of->item[x]] += (float)weight;
    }
}

void topfreq_scores(enum topfreq kind, const struct topfreq_params *params,
                    const struct history *of, const uint32_t *item_orders, uint32_t item_count,
                    float *score)
{
    double share = params && params->popularity > 0 ? params->popularity : 0.999, most = 0;
    for (uint32_t i = 0; i < item_count; i++) {
        most = item_orders[i] > most ? item_orders[i] : most;
        score[i] = kind == TOPFREQ_G ? (float)item_orders[i] : 0;
    }
    if (kind == TOPFREQ_G)
        return;
    add_own(params, of, score);
    for (uint32_t i = 0; i < item_count; i++) {
        if (kind == TOPFREQ_GP)
            score[i] += (float)(share * item_orders[i] / (most + 1));
        else if (score[i] == 0)
            score[i] = -1;
    }
}
