/* Learning the weights. The examples are shoppers with orders before the newest fifth and an order
 * in it: the items of the former, told apart by whether the first order of the latter holds them.
 *
 * Weights: for a shopper with items H, of which B were bought, the loss is the sum over B of
 * -ln(e^(w x_i) / sum over H of e^(w x)), plus DOUBT/2 |w - default|^2. It is convex; Newton's
 * steps, halved while they do not lower it, reach the least in a few rounds. Then the bias
 * likewise, over all examples, by the loss of a logistic regression.
 *
 * Cost: rounds times examples times REPEAT_FEATURES squared, of at most MOST_SHOPPERS. */
#include "repeat_internal.h"

#include "base/mem.h"
#include "base/vec.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define DOUBT         10.0
#define MOST_SHOPPERS 20000
#define MOST_ROUNDS   30
#define GOOD_ENOUGH   1e-9 /* of the loss */
#define F             REPEAT_FEATURES

struct example {
    float x[F];
    bool bought;
};

struct examples {
    VEC(struct example) at;
    VEC(size_t) end; /* [shoppers] into at */
    double prior[F];
};

/* The loss and its derivatives at some weights. */
struct point {
    double w[F], loss, slope[F], curve[F][F];
};

static double dot(const double *w, const float *x)
{
    double sum = 0;
    for (int f = 0; f < F; f++)
        sum += w[f] * x[f];
    return sum;
}

/* Adds one shopper: the mean and spread of x under the weights' shares, once for each item bought.
 */
static void add_shopper(struct point *p, const struct example *of, size_t count)
{
    double most = -INFINITY, total = 0, mean[F] = {0}, square[F][F] = {{0}};
    uint32_t bought = 0;
    for (size_t e = 0; e < count; e++) {
        double z = dot(p->w, of[e].x);
        most = z > most ? z : most;
        bought += of[e].bought;
    }
    if (bought == 0)
        return;
    for (size_t e = 0; e < count; e++) {
        double z = dot(p->w, of[e].x), share = exp(z - most);
        total += share;
        for (int f = 0; f < F; f++) {
            mean[f] += share * of[e].x[f];
            for (int g = 0; g <= f; g++)
                square[f][g] += share * of[e].x[f] * of[e].x[g];
            p->slope[f] -= of[e].bought ? of[e].x[f] : 0;
        }
        p->loss -= of[e].bought ? z : 0;
    }
    p->loss += bought * (log(total) + most);
    for (int f = 0; f < F; f++) {
        p->slope[f] += bought * mean[f] / total;
        for (int g = 0; g <= f; g++)
            p->curve[f][g] += bought * (square[f][g] / total - mean[f] * mean[g] / (total * total));
    }
}

static void measure(const struct examples *all, struct point *p)
{
    p->loss = 0;
    memset(p->slope, 0, sizeof p->slope);
    memset(p->curve, 0, sizeof p->curve);
    for (int f = 0; f < F; f++) {
        double off = p->w[f] - all->prior[f];
        p->loss += DOUBT / 2 * off * off;
        p->slope[f] = DOUBT * off;
        p->curve[f][f] = DOUBT;
    }
    for (size_t s = 0, begin = 0; s < all->end.count; begin = all->end.at[s++])
        add_shopper(p, all->at.at + begin, all->end.at[s] - begin);
}

/* step = curve^-1 slope, by Cholesky on the lower triangle; the curve is positive definite, as the
 * prior's part is. */
static void solve(const struct point *p, double step[F])
{
    double l[F][F];
    for (int i = 0; i < F; i++) {
        double sum = p->slope[i];
        for (int j = 0; j <= i; j++) {
            double a = p->curve[i][j];
            for (int k = 0; k < j; k++)
                a -= l[i][k] * l[j][k];
            l[i][j] = i == j ? sqrt(a) : a / l[j][j];
        }
        for (int k = 0; k < i; k++)
            sum -= l[i][k] * step[k];
        step[i] = sum / l[i][i];
    }
    for (int i = F - 1; i >= 0; i--) {
        for (int k = i + 1; k < F; k++)
            step[i] -= l[k][i] * step[k];
        step[i] /= l[i][i];
    }
}

static void fit_weights(const struct examples *all, float weight[F])
{
    struct point p;
    memcpy(p.w, all->prior, sizeof p.w);
    measure(all, &p);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        struct point next;
        double step[F] = {0}, share = 1;
        solve(&p, step);
        do {
            for (int f = 0; f < F; f++)
                next.w[f] = p.w[f] - share * step[f];
            measure(all, &next);
            share /= 2;
        } while (!(next.loss <= p.loss) && share > 1e-6);
        if (!(next.loss < p.loss))
            break;
        bool done = p.loss - next.loss <= GOOD_ENOUGH * p.loss;
        p = next;
        if (done)
            break;
    }
    for (int f = 0; f < F; f++)
        weight[f] = (float)p.w[f];
}

static float fit_bias(const struct examples *all, const float weight[F], float prior)
{
    double w[F], bias = prior;
    for (int f = 0; f < F; f++)
        w[f] = weight[f];
    for (int round = 0; round < MOST_ROUNDS; round++) {
        double slope = DOUBT * (bias - prior), curve = DOUBT;
        for (size_t e = 0; e < all->at.count; e++) {
            double p = 1 / (1 + exp(-dot(w, all->at.at[e].x) - bias));
            slope += p - all->at.at[e].bought;
            curve += p * (1 - p);
        }
        double step = slope / curve; /* held: a step too far would not come back */
        bias -= step > 1 ? 1 : step < -1 ? -1 : step;
        if (fabs(step) < GOOD_ENOUGH)
            break;
    }
    return (float)bias;
}

/* ---- examples ---- */

struct gather {
    const struct histories *h;
    const struct repeat_model *before; /* counted before the newest fifth */
    int64_t cut_ms;
    struct repeat_item *items; /* of one shopper */
    uint32_t *bought;          /* [items] row + 1 of the last history whose next order has it */
    struct examples *out;
};

static uint64_t first_not_before(const struct histories *h, uint32_t row, int64_t time_ms)
{
    uint64_t low = h->start[row], high = h->start[row + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (h->time_ms[middle] < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool add_examples(struct gather *g, uint32_t row)
{
    const struct histories *h = g->h;
    uint64_t begin = h->start[row], cut = first_not_before(h, row, g->cut_ms);
    if (cut == begin || cut == h->start[row + 1])
        return true;
    int64_t now_ms = h->time_ms[cut];
    for (uint64_t x = cut; x < h->start[row + 1] && h->time_ms[x] == now_ms; x++)
        g->bought[h->item[x]] = row + 1;
    uint32_t count =
        repeat_items(h->item + begin, h->time_ms + begin, (uint32_t)(cut - begin), g->items);
    for (uint32_t i = 0; i < count; i++) {
        struct example e = {.bought = g->bought[g->items[i].item] == row + 1};
        struct repeat_evidence unused;
        repeat_features(g->before, &g->items[i], now_ms, e.x, &unused);
        if (!VEC_PUSH(&g->out->at, e))
            return false;
    }
    return VEC_PUSH(&g->out->end, g->out->at.count);
}

static uint64_t longest(const struct histories *h)
{
    uint64_t most = 0;
    for (uint32_t row = 0; row < h->count; row++)
        if (h->start[row + 1] - h->start[row] > most)
            most = h->start[row + 1] - h->start[row];
    return most;
}

static bool gather_all(struct gather *g)
{
    uint32_t step = 1 + g->h->count / MOST_SHOPPERS;
    MEM_NEW(g->items, longest(g->h));
    MEM_ZNEW(g->bought, g->h->item_count);
    bool good = g->items && g->bought;
    for (uint32_t row = 0; row < g->h->count && good; row += step)
        good = add_examples(g, row);
    free(g->items);
    free(g->bought);
    return good;
}

int repeat_fit(const struct dataset *d, const struct histories *h, struct repeat_model *m,
               struct error *err)
{
    struct repeat_model before;
    struct examples all = {0};
    uint32_t baskets = (uint32_t)((uint64_t)d->basket_count * 4 / 5);
    if (d->basket_count == 0 || h->count == 0)
        return 0;
    int64_t cut_ms = d->time_ms[baskets];
    while (baskets > 0 && d->time_ms[baskets - 1] == cut_ms)
        baskets--;
    int rc = repeat_count(d, h, baskets, cut_ms, &before, err);
    if (rc)
        return rc;
    struct gather g = {.h = h, .before = &before, .cut_ms = cut_ms, .out = &all};
    if (gather_all(&g)) {
        for (int f = 0; f < F; f++)
            all.prior[f] = m->weight[f];
        fit_weights(&all, m->weight);
        m->bias = fit_bias(&all, m->weight, m->bias);
        m->shoppers = (uint32_t)all.end.count;
    } else {
        rc = error_set(err, ERR_NOMEM, "repeat purchases: out of memory");
    }
    repeat_deinit(&before);
    VEC_FREE(&all.at);
    VEC_FREE(&all.end);
    return rc;
}
