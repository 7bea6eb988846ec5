/* The places of each item come from a counting sort of all events, histories ascending. A source's
 * row is then made by one worker from its places in that order, in a dense accumulator with a list
 * of what it touched: sums have the same order and so the same bits whatever the threads.
 *
 * Cost: events x followers within D additions. Memory: 8 bytes an event (12 by time), 20 an item
 * and worker. */
#include "learn/sequence.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DISTANCE 10
#define DEFAULT_KEEP     200
#define PIECE_ITEMS      64

struct place {
    uint32_t history, at; /* at: in the history's row */
};

struct job {
    const struct histories *h;
    uint32_t distance, keep;
    bool every_place;
    bool counting; /* histories, for whoever asks */
    double count_power;
    double *gap; /* [distance + 1] what a follower that far adds */
    double backward;
    uint32_t *step;      /* [events] number of the event's time in its history; NULL: its place */
    uint64_t *start;     /* [items + 1] */
    struct place *place; /* of each item, ascending */
    uint32_t *units;     /* [items] histories with the item */
    uint32_t *rank;      /* [items] by (units descending, item) */
    double *source, *target; /* [items] what sums are multiplied with */
    struct rows rows;
    struct progress *progress;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* What is known so far of one follower. */
struct follower {
    double sum;
    uint32_t after; /* histories */
    uint32_t last;  /* the newest of them + 1 */
};

struct counter {
    struct follower *follower; /* [items] zero between rows */
    uint32_t *touched;         /* [items] */
    uint32_t touched_count;
    struct topk_entry *best; /* [keep] */
};

static struct follower *touch(struct counter *c, uint32_t item)
{
    struct follower *f = &c->follower[item];
    if (f->sum == 0 && f->after == 0)
        c->touched[c->touched_count++] = item;
    return f;
}

static double weight_of(const struct histories *h, uint64_t entry)
{
    return h->weight ? (double)h->weight[entry] : 1;
}

/* What comes behind one place of `item`; who is asked how many histories that are looks at all of
 * it. */
static void count_after(const struct job *job, struct counter *c, uint32_t item, struct place p)
{
    const struct histories *h = job->h;
    uint64_t here = h->start[p.history] + p.at, end = h->start[p.history + 1];
    for (uint64_t e = here + 1; e < end; e++) {
        uint32_t other = h->item[e];
        uint64_t z = job->step ? job->step[e] - job->step[here] : e - here;
        if (z > job->distance && !job->counting)
            break;
        if (z == 0 || other == item)
            continue;
        struct follower *f = touch(c, other);
        f->sum += z <= job->distance ? job->gap[z] * weight_of(h, e) : 0;
        f->after += f->last != p.history + 1;
        f->last = p.history + 1;
    }
}

static void count_before(const struct job *job, struct counter *c, uint32_t item, struct place p)
{
    const struct histories *h = job->h;
    uint64_t begin = h->start[p.history], here = begin + p.at;
    for (uint64_t e = here; e-- > begin;) {
        uint64_t z = job->step ? job->step[here] - job->step[e] : here - e;
        if (z > job->distance)
            break;
        if (z > 0 && h->item[e] != item)
            touch(c, h->item[e])->sum += job->backward * job->gap[z] * weight_of(h, e);
    }
}

static void make_row(struct job *job, struct counter *c, uint32_t item)
{
    struct topk best;
    topk_init(&best, c->best, job->keep);
    for (uint64_t x = job->start[item]; x < job->start[item + 1]; x++) {
        count_after(job, c, item, job->place[x]);
        if (job->backward > 0)
            count_before(job, c, item, job->place[x]);
    }
    for (uint32_t x = 0; x < c->touched_count; x++) {
        uint32_t other = c->touched[x];
        double sum = c->follower[other].sum;
        double weight = (job->count_power != 1 ? pow(sum, job->count_power) : sum) *
                        job->source[item] * job->target[other];
        if ((float)weight > 0)
            topk_offer(&best, other, (float)weight, job->rank[other]);
    }
    rows_put(&job->rows, item, &best);
    for (uint32_t n = 0; job->counting && n < best.count; n++)
        job->rows.count[job->rows.room[item] + n] = c->follower[best.entries[n].item].after;
    for (uint32_t x = 0; x < c->touched_count; x++)
        c->follower[c->touched[x]] = (struct follower){0};
    c->touched_count = 0;
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct counter c = {0};
    uint64_t begin, end;
    MEM_ZNEW(c.follower, job->h->item_count);
    MEM_NEW(c.touched, job->h->item_count);
    MEM_NEW(c.best, job->keep);
    int status = c.follower && c.touched && c.best ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t item = begin; item < end; item++)
            make_row(job, &c, (uint32_t)item);
        if (progress_step(job->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(c.follower);
    free(c.touched);
    free(c.best);
    job->status[worker] = status;
}

/* No follower is further away than the longest history is long. */
static bool weigh_gaps(struct job *job, const struct sequence_params *params)
{
    uint64_t longest = 0, distance = params->distance ? params->distance : DEFAULT_DISTANCE;
    double power = params->gap_power != 0 ? (double)params->gap_power : 1;
    job->count_power = params->count_power != 0 ? (double)params->count_power : 1;
    for (uint32_t r = 0; r < job->h->count; r++) {
        uint64_t length = job->h->start[r + 1] - job->h->start[r];
        longest = length > longest ? length : longest;
    }
    job->distance = (uint32_t)(distance < longest ? distance : longest);
    if (!MEM_ZNEW(job->gap, job->distance + (size_t)1))
        return false;
    for (uint32_t z = 1; z <= job->distance; z++)
        job->gap[z] = pow(z, -power);
    return true;
}

static bool number_steps(struct job *job)
{
    const struct histories *h = job->h;
    if (!MEM_NEW(job->step, h->start[h->count]))
        return false;
    for (uint32_t r = 0; r < h->count; r++)
        for (uint64_t e = h->start[r]; e < h->start[r + 1]; e++)
            job->step[e] =
                e == h->start[r] ? 0 : job->step[e - 1] + (h->time_ms[e] != h->time_ms[e - 1]);
    return true;
}

/* Counts the places of each item, then puts them behind each other: start[i + 1] is where item i's
 * next one goes, and in the end where the last one ended. last[i]: the newest history + 1 that was
 * seen to have it. */
static bool find_places(struct job *job, uint32_t *last)
{
    const struct histories *h = job->h;
    uint64_t total = 0;
    for (uint32_t r = 0; r < h->count; r++) {
        for (uint64_t e = h->start[r]; e < h->start[r + 1]; e++) {
            uint32_t item = h->item[e];
            bool first = last[item] != r + 1;
            job->units[item] += first;
            job->start[item + 1] += first || job->every_place;
            last[item] = r + 1;
        }
    }
    for (uint32_t i = 0; i < h->item_count; i++) {
        uint64_t places = job->start[i + 1];
        job->start[i + 1] = total;
        total += places;
        last[i] = 0;
    }
    if (!MEM_NEW(job->place, total))
        return false;
    for (uint32_t r = 0; r < h->count; r++) {
        for (uint64_t e = h->start[r]; e < h->start[r + 1]; e++) {
            uint32_t item = h->item[e];
            if (job->every_place || last[item] != r + 1)
                job->place[job->start[item + 1]++] = (struct place){r, (uint32_t)(e - h->start[r])};
            last[item] = r + 1;
        }
    }
    return true;
}

static bool index_places(struct job *job)
{
    uint32_t items = job->h->item_count, *last;
    MEM_ZNEW(job->start, (size_t)items + 1);
    MEM_ZNEW(job->units, items);
    MEM_ZNEW(last, items);
    bool good = job->start && job->units && last && find_places(job, last);
    free(last);
    return good;
}

static bool prepare(struct job *job, const struct sequence_params *params)
{
    uint32_t items = job->h->item_count;
    if (!weigh_gaps(job, params) || (params->by_time && !number_steps(job)) || !index_places(job))
        return false;
    MEM_NEW(job->rank, items);
    MEM_NEW(job->source, items);
    MEM_NEW(job->target, items);
    if (!job->rank || !job->source || !job->target ||
        !rows_rank_items(job->units, items, job->rank))
        return false;
    for (uint32_t i = 0; i < items; i++) {
        uint32_t units = job->units[i] ? job->units[i] : 1;
        job->source[i] = pow(units, (double)-params->source_power);
        job->target[i] = pow(job->units[i] + 1.0, (double)-params->target_power);
    }
    return true;
}

/* Room for each row: its item's places, each with as many followers as lie within D. */
static int make_room(struct job *job, struct error *err)
{
    uint32_t items = job->h->item_count;
    uint64_t *most,
        reach = job->step ? items : (uint64_t)job->distance * (job->backward > 0 ? 2 : 1);
    if (!MEM_NEW(most, (size_t)items + 1))
        return ERR_NOMEM;
    most[0] = 0;
    for (uint32_t i = 0; i < items; i++) {
        uint64_t places = job->start[i + 1] - job->start[i], others = items - 1;
        most[i + 1] = most[i] + (places * reach < others ? places * reach : others);
    }
    int status = rows_init(&job->rows, items, items, most, job->keep, err);
    free(most);
    if (status)
        return status;
    bool good = !job->counting || MEM_NEW(job->rows.count, job->rows.room[items]);
    return good ? 0 : ERR_NOMEM;
}

static int learn(struct job *job, const struct sequence_params *params, struct error *err)
{
    uint32_t workers = parallel_workers(params->threads), items = job->h->item_count;
    if (!prepare(job, params))
        return ERR_NOMEM;
    int status = make_room(job, err);
    if (status)
        return status;
    progress_begin(job->progress, "counting sequences", items);
    cursor_init(&job->cursor, items, PIECE_ITEMS);
    parallel_run(workers, run_worker, job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job->status[w];
    return status;
}

static int check(const struct histories *h, const struct sequence_params *p, struct error *err)
{
    if (!isfinite(p->source_power) || !isfinite(p->target_power) || !isfinite(p->gap_power) ||
        !isfinite(p->count_power))
        return error_set(err, ERR_INVALID, "sequences: a power is not a number");
    if (!(p->backward >= 0 && p->backward <= 1))
        return error_set(err, ERR_INVALID, "sequences: backward is %g, must be 0 to 1",
                         (double)p->backward);
    if (p->by_time && !h->time_ms)
        return error_set(err, ERR_INVALID, "sequences: by_time needs histories with times");
    return 0;
}

int sequence_rows(const struct histories *h, const struct sequence_params *params, struct csr *out,
                  uint32_t **after, struct error *err)
{
    struct job job = {.h = h,
                      .keep = params->keep ? params->keep : DEFAULT_KEEP,
                      .every_place = params->every_place,
                      .counting = after,
                      .backward = (double)params->backward,
                      .progress = params->progress};
    int status = check(h, params, err);
    if (status)
        return status;
    status = learn(&job, params, err);
    free(job.gap);
    free(job.step);
    free(job.start);
    free(job.place);
    free(job.units);
    free(job.rank);
    free(job.source);
    free(job.target);
    if (status) {
        rows_deinit(&job.rows);
        return error_set(err, status, "sequences: %s",
                         status == ERR_NOMEM ? "out of memory" : "cancelled");
    }
    rows_finish(&job.rows, out, after);
    return 0;
}

uint64_t sequence_estimate_bytes(const struct dataset_shape *shape,
                                 const struct sequence_params *params)
{
    double distance = params->distance ? params->distance : DEFAULT_DISTANCE;
    double keep = params->keep ? params->keep : DEFAULT_KEEP, items = (double)shape->items;
    double sides = params->backward > 0 ? 2 : 1,
           followers = sides * distance * (double)shape->lines;
    keep = keep < items ? keep : items;
    double rows = params->by_time || followers > keep * items ? keep * items : followers;
    uint64_t event = params->by_time ? 12 : 8, worker = 20 * shape->items + 12 * (uint64_t)keep;
    return 12 * (uint64_t)rows + event * shape->lines + 60 * shape->items +
           parallel_workers(params->threads) * worker;
}
