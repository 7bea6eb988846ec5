/* Two passes over the histories, one to count the gaps of each item and one to place them, find
 * each item's median; the items of a shopper are told apart by stamps. Linear but for sorting the
 * gaps. Memory: 4 bytes a gap, some 40 an item. */
#include "learn/repeat.h"

#include "base/mem.h"
#include "repeat_internal.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS    (24 * 3600 * 1000LL)
#define DEMAND_MS (28 * DAY_MS)
#define GAPS_OF_DOUBT                                                                              \
    10                    /* an item's median counts as much as the general one with so many gaps  \
                           */
#define BUYERS_OF_DOUBT 5 /* likewise its rate, with so many buyers */
#define OWN_OF_DOUBT    2 /* likewise a shopper's own gap, with so many of them */
#define GAP_LEAST_DAYS  0.5
#define GAP_GUESS_DAYS  30 /* where nobody ever bought twice */

static const float default_weight[REPEAT_FEATURES] = {
    [REPEAT_TIMES] = 0.6f, [REPEAT_RECENCY] = -0.4f, [REPEAT_DUE] = 0.2f,    [REPEAT_EARLY] = -0.2f,
    [REPEAT_LATE] = -0.2f, [REPEAT_RATE] = 0.2f,     [REPEAT_DEMAND] = 0.4f,
};
#define DEFAULT_BIAS (-0.6f)

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "repeat purchases: out of memory");
}

void repeat_deinit(struct repeat_model *m)
{
    free(m->gap_days);
    free(m->rate);
    free(m->demand);
    *m = (struct repeat_model){0};
}

size_t repeat_bytes(const struct repeat_model *m)
{
    return (size_t)m->item_count * (sizeof *m->gap_days + sizeof *m->rate + sizeof *m->demand);
}

/* ---- an item of a shopper ---- */

uint32_t repeat_items(const uint32_t *item, const int64_t *time_ms, uint32_t count,
                      struct repeat_item *out)
{
    uint32_t found = 0;
    for (uint32_t x = 0; x < count; x++) {
        uint32_t low = 0, high = found;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (out[middle].item < item[x])
                low = middle + 1;
            else
                high = middle;
        }
        if (low == found || out[low].item != item[x]) {
            memmove(out + low + 1, out + low, (found - low) * sizeof *out);
            out[low] = (struct repeat_item){item[x], 1, time_ms[x], time_ms[x]};
            found++;
        } else if (out[low].last_ms != time_ms[x]) {
            out[low].times++;
            out[low].last_ms = time_ms[x];
        }
    }
    return found;
}

static double usual_gap(const struct repeat_item *item, double gap_days)
{
    if (item->times < 2)
        return gap_days;
    double own = (double)(item->last_ms - item->first_ms) / DAY_MS;
    return (own + OWN_OF_DOUBT * gap_days) / (item->times - 1 + OWN_OF_DOUBT);
}

void repeat_features(const struct repeat_model *m, const struct repeat_item *item, int64_t now_ms,
                     float x[REPEAT_FEATURES], struct repeat_evidence *out)
{
    bool known = item->item != REPEAT_NO_ITEM;
    double days = now_ms > item->last_ms ? (double)(now_ms - item->last_ms) / DAY_MS : 0;
    double gap = usual_gap(item, known ? m->gap_days[item->item] : m->usual_gap_days);
    double due = days / gap;
    x[REPEAT_TIMES] = (float)log(item->times);
    x[REPEAT_RECENCY] = (float)log1p(days);
    x[REPEAT_DUE] = (float)log(due + 0.1);
    x[REPEAT_EARLY] = due < 0.5;
    x[REPEAT_LATE] = due > 3;
    x[REPEAT_RATE] = logf(known ? m->rate[item->item] : m->usual_rate);
    x[REPEAT_DEMAND] = known ? m->demand[item->item] : m->no_demand;
    out->gap_days = (float)gap;
    out->due = (float)due;
}

struct repeat_evidence repeat_score(const struct repeat_model *m, const struct repeat_item *item,
                                    int64_t now_ms)
{
    struct repeat_evidence out;
    float x[REPEAT_FEATURES], logit = m->bias;
    repeat_features(m, item, now_ms, x, &out);
    for (int f = 0; f < REPEAT_FEATURES; f++)
        logit += m->weight[f] * x[f];
    out.score = 1 / (1 + expf(-logit));
    return out;
}

/* ---- counting ---- */

/* What a pass over one history knows of the items it met. */
struct meeting {
    uint32_t row_of; /* row + 1 of the last history with the item */
    bool again;      /* bought twice by it */
    int64_t last_ms;
};

struct counts {
    struct meeting *met;         /* [items] */
    uint64_t *start;             /* [items + 1] of gaps */
    float *gap;                  /* days, by item */
    uint32_t *buyers, *rebuyers; /* [items] */
};

/* Each gap between two purchases of an item by one shopper; `take` counts or places it. */
static void walk(const struct histories *h, int64_t before_ms, struct counts *c,
                 void (*take)(struct counts *c, uint32_t item, float days, bool first_again))
{
    for (uint32_t row = 0; row < h->count; row++) {
        for (uint64_t x = h->start[row]; x < h->start[row + 1]; x++) {
            if (h->time_ms[x] >= before_ms)
                break;
            struct meeting *met = &c->met[h->item[x]];
            if (met->row_of == row + 1 && met->last_ms < h->time_ms[x]) {
                take(c, h->item[x], (float)((double)(h->time_ms[x] - met->last_ms) / DAY_MS),
                     !met->again);
                met->again = true;
            } else if (met->row_of != row + 1) {
                met->row_of = row + 1;
                met->again = false;
                take(c, h->item[x], -1, false);
            }
            met->last_ms = h->time_ms[x];
        }
    }
}

static void count_gap(struct counts *c, uint32_t item, float days, bool first_again)
{
    c->buyers[item] += days < 0;
    c->rebuyers[item] += first_again;
    c->start[item + 1] += days >= 0;
}

static void place_gap(struct counts *c, uint32_t item, float days, bool first_again)
{
    (void)first_again;
    if (days >= 0)
        c->gap[c->start[item + 1]++] = days;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median(float *of, uint64_t count)
{
    qsort(of, count, sizeof *of, ascending);
    double middle = ((double)of[(count - 1) / 2] + of[count / 2]) / 2;
    return middle > GAP_LEAST_DAYS ? middle : GAP_LEAST_DAYS;
}

static bool counts_init(struct counts *c, uint32_t items)
{
    MEM_ZNEW(c->met, items);
    MEM_ZNEW(c->start, (size_t)items + 1);
    MEM_ZNEW(c->buyers, items);
    MEM_ZNEW(c->rebuyers, items);
    return c->met && c->start && c->buyers && c->rebuyers;
}

static void counts_deinit(struct counts *c)
{
    free(c->met);
    free(c->start);
    free(c->gap);
    free(c->buyers);
    free(c->rebuyers);
}

/* Each item's median first: sorting all the gaps for the general one mixes them up. */
static void find_gaps(struct repeat_model *m, struct counts *c)
{
    uint64_t all = c->start[m->item_count];
    for (uint32_t i = 0; i < m->item_count; i++) {
        uint64_t gaps = c->start[i + 1] - c->start[i];
        m->gap_days[i] = gaps ? (float)median(c->gap + c->start[i], gaps) : 0;
    }
    double usual = all ? median(c->gap, all) : GAP_GUESS_DAYS;
    m->usual_gap_days = (float)usual;
    for (uint32_t i = 0; i < m->item_count; i++) {
        double gaps = (double)(c->start[i + 1] - c->start[i]), own = gaps > 0 ? m->gap_days[i] : 1;
        m->gap_days[i] =
            (float)exp((GAPS_OF_DOUBT * log(usual) + gaps * log(own)) / (GAPS_OF_DOUBT + gaps));
    }
}

static void find_rates(struct repeat_model *m, const struct counts *c)
{
    double buyers = 2, rebuyers = 1; /* so that no rate is 0 or 1 */
    for (uint32_t i = 0; i < m->item_count; i++) {
        buyers += c->buyers[i];
        rebuyers += c->rebuyers[i];
    }
    double usual = rebuyers / buyers;
    m->usual_rate = (float)usual;
    for (uint32_t i = 0; i < m->item_count; i++)
        m->rate[i] =
            (float)((c->rebuyers[i] + BUYERS_OF_DOUBT * usual) / (c->buyers[i] + BUYERS_OF_DOUBT));
}

static void find_demand(const struct dataset *d, uint32_t baskets, struct repeat_model *m)
{
    int64_t now_ms = baskets ? d->time_ms[baskets - 1] : 0;
    double lines = 0;
    memset(m->demand, 0, m->item_count * sizeof *m->demand);
    for (uint32_t b = baskets; b > 0 && now_ms - d->time_ms[b - 1] < DEMAND_MS; b--) {
        for (uint64_t x = d->baskets.start[b - 1]; x < d->baskets.start[b]; x++, lines++)
            m->demand[d->baskets.column[x]]++;
    }
    double mean = (lines + 1) / (m->item_count + 1.0);
    m->no_demand = (float)log(1 / mean);
    for (uint32_t i = 0; i < m->item_count; i++)
        m->demand[i] = (float)log((m->demand[i] + 1) / mean);
}

int repeat_count(const struct dataset *d, const struct histories *h, uint32_t baskets,
                 int64_t before_ms, struct repeat_model *out, struct error *err)
{
    struct repeat_model m = {.item_count = d->item_count, .bias = DEFAULT_BIAS};
    struct counts c = {0};
    memcpy(m.weight, default_weight, sizeof m.weight);
    MEM_NEW(m.gap_days, m.item_count);
    MEM_NEW(m.rate, m.item_count);
    MEM_NEW(m.demand, m.item_count);
    bool good = m.gap_days && m.rate && m.demand && counts_init(&c, m.item_count);
    if (good) {
        walk(h, before_ms, &c, count_gap);
        uint64_t gaps = 0;
        for (uint32_t i = 0; i < m.item_count; i++) { /* from counts to where each item begins */
            uint64_t count = c.start[i + 1];
            c.start[i + 1] = gaps;
            gaps += count;
        }
        memset(c.met, 0, m.item_count * sizeof *c.met);
        good = MEM_NEW(c.gap, gaps) != NULL;
    }
    if (good) {
        walk(h, before_ms, &c, place_gap);
        find_gaps(&m, &c);
        find_rates(&m, &c);
        find_demand(d, baskets, &m);
        *out = m;
    } else {
        repeat_deinit(&m);
    }
    counts_deinit(&c);
    return good ? 0 : out_of_memory(err);
}

int repeat_build(const struct dataset *d, const struct histories *h, struct repeat_model *out,
                 struct error *err)
{
    struct histories made = {0};
    struct repeat_model m = {0};
    int rc = h ? 0 : histories_of_users(d, &made, err);
    h = h ? h : &made;
    if (rc == 0)
        rc = repeat_count(d, h, d->basket_count, INT64_MAX, &m, err);
    if (rc == 0)
        rc = repeat_fit(d, h, &m, err);
    histories_deinit(&made);
    if (rc)
        repeat_deinit(&m);
    else
        *out = m;
    return rc;
}

int repeat_defaults(uint32_t items, struct repeat_model *out, struct error *err)
{
    const struct dataset nothing = {.item_count = items};
    uint64_t start = 0;
    const struct histories nobody = {.item_count = items, .start = &start};
    return repeat_count(&nothing, &nobody, 0, INT64_MAX, out, err);
}
