/* What can be said of the lists without knowing the targets. Sums are taken in the order of the
 * questions, so that they are the same whatever the threads. */
#include "eval/metrics.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define PIECE_LISTS 64

static uint32_t list_size(const uint32_t *list, uint32_t k)
{
    uint32_t size = 0;
    while (size < k && list[size] != LIST_END)
        size++;
    return size;
}

struct likeness_job {
    const struct ranking *ranking;
    const struct cooc *pairs;
    uint32_t k;
    double *mean; /* [questions] cosine of two in the list; NAN: fewer than two */
    struct cursor cursor;
};

static double mean_likeness(const struct likeness_job *job, const uint32_t *list)
{
    const struct cooc *c = job->pairs;
    uint32_t size = list_size(list, job->k);
    double sum = 0;
    for (uint32_t a = 0; a < size; a++) {
        for (uint32_t b = 0; b < a; b++) {
            uint32_t together = cooc_pair(c, list[a], list[b]);
            if (together)
                sum += together / sqrt((double)c->item_units[list[a]] * c->item_units[list[b]]);
        }
    }
    return size < 2 ? NAN : 2 * sum / ((double)size * (size - 1.0));
}

static void run_worker(void *context, uint32_t worker)
{
    struct likeness_job *job = context;
    uint64_t begin, end;
    (void)worker;
    while (cursor_take(&job->cursor, &begin, &end))
        for (uint64_t q = begin; q < end; q++)
            job->mean[q] = mean_likeness(job, job->ranking->list + q * job->ranking->list_length);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the counts. */
static double gini(uint32_t *counts, uint32_t items)
{
    double weighted = 0, sum = 0;
    qsort(counts, items, sizeof *counts, compare_u32);
    for (uint32_t i = 0; i < items; i++) {
        weighted += (i + 1.0) * counts[i];
        sum += counts[i];
    }
    return sum > 0 ? 2 * weighted / (items * sum) - (items + 1.0) / items : 0;
}

static void count_lists(const struct split *split, const struct ranking *ranking, uint32_t k,
                        uint32_t *counts, struct list_measures *out)
{
    const struct dataset *train = &split->train;
    double novelty = 0;
    uint64_t total = 0;
    for (uint32_t q = 0; q < split->questions.count; q++) {
        const uint32_t *list = ranking->list + (uint64_t)q * ranking->list_length;
        uint32_t size = list_size(list, k);
        out->empty += size == 0;
        for (uint32_t n = 0; n < size; n++) {
            counts[list[n]]++;
            novelty -= log2((double)train->item_orders[list[n]] / train->basket_count);
        }
        total += size;
    }
    out->novelty = total ? novelty / (double)total : 0;
    out->tail_share = list_tail_share(split, ranking, k);
}

int list_measures(const struct split *split, const struct ranking *ranking, uint32_t k,
                  const struct cooc *pairs, uint32_t threads, struct list_measures *out,
                  struct error *err)
{
    uint32_t questions = split->questions.count, lists;
    struct likeness_job job = {.ranking = ranking, .pairs = pairs, .k = k};
    struct list_measures made = {0};
    uint32_t *counts;
    assert(k >= 1 && k <= ranking->list_length && pairs->item_count == split->train.item_count);
    MEM_ZNEW(counts, split->train.item_count);
    MEM_NEW(job.mean, questions);
    if (!counts || !job.mean) {
        free(counts);
        free(job.mean);
        return error_set(err, ERR_NOMEM, "metrics: out of memory");
    }
    count_lists(split, ranking, k, counts, &made);
    made.gini = gini(counts, split->train.item_count);
    cursor_init(&job.cursor, questions, PIECE_LISTS);
    parallel_run(parallel_workers(threads), run_worker, &job);
    double likeness = mean_of(job.mean, questions, &lists);
    made.diversity = lists ? 1 - likeness : 0;
    free(counts);
    free(job.mean);
    *out = made;
    return 0;
}

double list_tail_share(const struct split *split, const struct ranking *ranking, uint32_t k)
{
    uint64_t total = 0, tail = 0;
    for (uint32_t q = 0; q < split->questions.count; q++) {
        const uint32_t *list = ranking->list + (uint64_t)q * ranking->list_length;
        uint32_t size = list_size(list, k);
        for (uint32_t n = 0; n < size; n++)
            tail += split->rank[list[n]] >= split->head_items;
        total += size;
    }
    return total ? (double)tail / (double)total : 0;
}

int list_coverage(const struct split *split, const struct ranking *ranking, uint32_t k, double *out,
                  struct error *err)
{
    uint32_t items = split->train.item_count, suggested = 0;
    bool *seen;
    if (!MEM_ZNEW(seen, items))
        return error_set(err, ERR_NOMEM, "metrics: out of memory");
    for (uint32_t q = 0; q < split->questions.count; q++) {
        const uint32_t *list = ranking->list + (uint64_t)q * ranking->list_length;
        for (uint32_t n = 0, size = list_size(list, k); n < size; n++) {
            suggested += !seen[list[n]];
            seen[list[n]] = true;
        }
    }
    free(seen);
    *out = (double)suggested / items;
    return 0;
}

static int compare_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int answer_quantiles(const struct ranking *ranking, uint32_t questions, const double *p,
                     uint32_t count, double *out, struct error *err)
{
    float *sorted = mem_copy(ranking->answer_us, questions * sizeof *sorted);
    if (!sorted)
        return error_set(err, ERR_NOMEM, "metrics: out of memory");
    qsort(sorted, questions, sizeof *sorted, compare_float);
    for (uint32_t i = 0; i < count; i++) {
        double place = ceil(p[i] * questions);
        out[i] = sorted[place >= 1 ? (uint32_t)place - 1 : 0];
    }
    free(sorted);
    return 0;
}
