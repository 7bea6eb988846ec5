/* What this shopper buys again: only what they bought, by how likely their next order holds it
 * (learn/repeat.h). A history is a few hundred lines at most, so everything is done over it: sorted
 * by item, one pass makes a habit of each item's purchases. Now is the newest order that the model
 * or the shopper's history has, so that an answer does not change with the clock. */
#include "recommend_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct habit {
    float score;
    uint32_t slot, item, rank; /* item, rank: DICT_NONE, UINT32_MAX: not the model's */
};

static int by_slot(const void *a, const void *b)
{
    const struct purchase *x = a, *y = b;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return (x->time_s > y->time_s) - (x->time_s < y->time_s);
}

/* Score descending, then popularity, then what the model does not know in order of arrival. */
static int best_first(const void *a, const void *b)
{
    const struct habit *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static int64_t newest_ms(const struct request *r)
{
    const struct shopper *who = r->q->shopper;
    int64_t last_ms = who->lines[who->line_count - 1].time_s * INT64_C(1000);
    return last_ms > r->m->popularity.now_ms ? last_ms : r->m->popularity.now_ms;
}

/* The habits of a history, in order of slot. */
static uint32_t find_habits(const struct request *r, struct habit out[LIMIT_HISTORY_LINES])
{
    const struct shopper *who = r->q->shopper;
    struct purchase lines[LIMIT_HISTORY_LINES];
    uint32_t count = 0;
    assert(who->line_count <= LIMIT_HISTORY_LINES);
    if (who->line_count == 0)
        return 0;
    int64_t now_ms = newest_ms(r);
    memcpy(lines, who->lines, who->line_count * sizeof *lines);
    qsort(lines, who->line_count, sizeof *lines, by_slot);
    for (uint32_t i = 0; i < who->line_count;) {
        uint32_t slot = lines[i].slot, item = model_item_of_slot(r->m, slot);
        struct repeat_item had = {.item = item == DICT_NONE ? REPEAT_NO_ITEM : item,
                                  .first_ms = lines[i].time_s * INT64_C(1000)};
        for (; i < who->line_count && lines[i].slot == slot; i++) {
            had.times += had.times == 0 || had.last_ms != lines[i].time_s * INT64_C(1000);
            had.last_ms = lines[i].time_s * INT64_C(1000);
        }
        out[count++] = (struct habit){repeat_score(&r->m->repeat, &had, now_ms).score, slot, item,
                                      item == DICT_NONE ? UINT32_MAX : r->m->popularity.rank[item]};
    }
    return count;
}

static bool is_excluded(const struct request *r, const struct habit *h)
{
    if (h->item != DICT_NONE)
        return r->s->excluded[h->item] == r->s->stamp;
    struct str id = catalog_id(r->c, h->slot);
    for (uint32_t x = 0; x < r->q->exclude_count; x++)
        if (str_eq(id, r->q->exclude[x]))
            return true;
    return false;
}

void fill_rebuy(struct request *r)
{
    struct answer *out = r->out;
    struct habit habits[LIMIT_HISTORY_LINES];
    uint32_t count = out->candidates = find_habits(r, habits);
    qsort(habits, count, sizeof *habits, best_first);
    for (uint32_t x = 0; x < count && out->count < r->q->limit; x++) {
        const struct habit *h = &habits[x];
        enum drop drop = is_excluded(r, h) ? DROP_EXCLUDED : filter_drop_slot(r, h->slot);
        if (drop != DROP_COUNT) {
            out->dropped[drop]++;
            continue;
        }
        struct suggestion *to = &r->s->items[out->count++];
        to->item = h->item;
        to->slot = h->slot;
        to->score = h->score;
    }
}

void explain_habit(const struct request *r, struct suggestion *to)
{
    const struct shopper *who = r->q->shopper;
    struct because *b = &to->because;
    uint32_t first_s = UINT32_MAX, last_s = 0;
    b->kind = BECAUSE_HABIT;
    b->source = "history";
    for (uint32_t i = 0; i < who->line_count; i++) {
        if (who->lines[i].slot != to->slot)
            continue;
        first_s = who->lines[i].time_s < first_s ? who->lines[i].time_s : first_s;
        last_s = who->lines[i].time_s;
        b->count++;
    }
    b->last_ms = (int64_t)last_s * 1000;
    if (b->count > 1)
        b->gap_days = (double)(last_s - first_s) / (24 * 3600) / (double)(b->count - 1);
}

void explain_rebuy(struct request *r)
{
    for (uint32_t x = 0; x < r->out->count; x++)
        explain_habit(r, &r->s->items[x]);
}
