/* A trial of a step costs one multiplication and one comparison a candidate (fit_describe.c). Means
 * are summed in the order of questions, so that they do not depend on the threads. */
#include "base/parallel.h"
#include "fit_internal.h"

#include <math.h>
#include <string.h>

#define ROUNDS 4

/* The NDCG of a question's targets among its candidates, whose scores are score + step feature. */
static double ndcg_of(const struct fit *f, const struct candidates_of *of, const float *feature,
                      float step, uint32_t wanted)
{
    double sum = 0, best = 0;
    for (uint32_t x = 0; x < of->target_count; x++) {
        float own = of->score[x] + step * feature[x];
        uint32_t above = 0, own_rank = f->split->rank[of->item[x]];
        for (uint32_t c = 0; c < of->count; c++) {
            float other = of->score[c] + step * feature[c];
            above += other > own || (other == own && f->split->rank[of->item[c]] < own_rank);
        }
        sum += above < f->cutoff ? 1 / log2(above + 2.0) : 0;
    }
    for (uint32_t x = 0; x < wanted && x < f->cutoff; x++)
        best += 1 / log2(x + 2.0);
    return best > 0 ? sum / best : 0;
}

static void try_worker(void *context, uint32_t worker)
{
    struct fit *f = context;
    uint64_t begin, end;
    (void)worker;
    while (!progress_cancelled(f->progress) && cursor_take(&f->cursor, &begin, &end)) {
        for (uint64_t at = begin; at < end; at++) {
            struct candidates_of *of = &f->of[at];
            const float *feature = of->feature + (size_t)f->moved * of->count;
            const struct questions *q = &f->split->questions;
            uint32_t question = f->question[at];
            if (f->keep_move)
                for (uint32_t c = 0; c < of->count; c++)
                    of->score[c] += f->step * feature[c];
            else
                f->ndcg[at] =
                    ndcg_of(f, of, feature, f->step,
                            (uint32_t)(q->target_start[question + 1] - q->target_start[question]));
        }
    }
}

/* The mean NDCG with feature x's share moved by `step`; nothing meant when cancelled. */
double fit_try(struct fit *f, uint32_t x, float step)
{
    double sum = 0;
    f->moved = x;
    f->step = step;
    f->keep_move = false;
    cursor_init(&f->cursor, f->question_count, 32);
    parallel_run(parallel_workers(f->threads), try_worker, f);
    for (uint32_t at = 0; at < f->question_count; at++)
        sum += f->ndcg[at];
    return sum / f->question_count;
}

static void move(struct fit *f, uint32_t x, float step)
{
    f->moved = x;
    f->step = step;
    f->keep_move = true;
    f->share[x] += step;
    cursor_init(&f->cursor, f->question_count, 32);
    parallel_run(parallel_workers(f->threads), try_worker, f);
}

/* A surface that suggests the same to everybody is none, even where that ranks best: of the
 * learners one keeps a share. */
static bool would_silence(const struct fit *f, uint32_t x, float step)
{
    if (x + OTHERS >= f->features || f->share[x] + step > 0)
        return false;
    for (uint32_t y = 0; y + OTHERS < f->features; y++)
        if (y != x && f->share[y] > 0)
            return false;
    return true;
}

static double ascend(struct fit *f, double best)
{
    static const float steps[] = {0.5f, -0.5f, 0.25f, -0.25f, 0.1f, -0.1f};
    bool moved = true;
    for (int round = 0; moved && round < ROUNDS; round++) {
        moved = false;
        for (uint32_t x = 0; x < f->features; x++) {
            for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
                float step = f->share[x] + steps[k] < 0 ? -f->share[x] : steps[k];
                if (step == 0 || would_silence(f, x, step))
                    continue;
                if (progress_step(f->progress, 1))
                    return best; /* fit_all says that it was cancelled */
                double ndcg = fit_try(f, x, step);
                if (ndcg <= best + FIT_LEAST_GAIN)
                    continue;
                move(f, x, step);
                best = ndcg;
                moved = true;
            }
        }
    }
    return best;
}

static bool may_exchange(const struct fit *f, uint32_t from, uint32_t to)
{
    return f->share[from] > 0 && !(f->share[to] > 0) &&
           f->feature[from].matrix == f->feature[to].matrix;
}

/* One learner's share given to another of its matrix that has none: two that say nearly the same
 * only help in each other's place, and no step of one share gets there. */
static bool exchange(struct fit *f, double *best)
{
    uint32_t learners = f->features - OTHERS;
    bool moved = false;
    for (uint32_t x = 0; x < learners; x++) {
        for (uint32_t y = 0; y < learners; y++) {
            float share = f->share[x];
            if (!may_exchange(f, x, y))
                continue;
            if (progress_step(f->progress, 1))
                return false; /* fit_all says that it was cancelled */
            move(f, x, -share);
            double ndcg = fit_try(f, y, share);
            bool better = ndcg > *best + FIT_LEAST_GAIN;
            move(f, better ? y : x, share);
            *best = better ? ndcg : *best;
            moved = moved || better;
        }
    }
    return moved;
}

static double ascend_and_exchange(struct fit *f, double best)
{
    for (int round = 0; round < ROUNDS; round++) {
        best = ascend(f, best);
        if (progress_cancelled(f->progress) || !exchange(f, &best))
            break;
    }
    return best;
}

static void set_shares(struct fit *f, const float *share)
{
    for (uint32_t x = 0; x < f->features; x++)
        if (share[x] != f->share[x])
            move(f, x, share[x] - f->share[x]);
}

/* The learner that ranks best by itself. */
static uint32_t best_alone(struct fit *f)
{
    static const float none[FEATURES_MAX];
    uint32_t best = 0;
    double most = -1;
    set_shares(f, none);
    for (uint32_t x = 0; x + OTHERS < f->features; x++) {
        double ndcg = fit_try(f, x, 1);
        best = ndcg > most ? x : best;
        most = ndcg > most ? ndcg : most;
    }
    return best;
}

/* An ascent ends on a hilltop, the nearest of several: from the menu's shares or from the best
 * learner alone, whichever is higher. */
double fit_ascend(struct fit *f, double menu)
{
    float found[FEATURES_MAX], alone[FEATURES_MAX] = {0};
    double most = ascend_and_exchange(f, menu);
    if (f->features == OTHERS || progress_cancelled(f->progress))
        return most;
    memcpy(found, f->share, sizeof found);
    uint32_t best = best_alone(f);
    alone[best] = 1;
    set_shares(f, alone);
    double ndcg = ascend_and_exchange(f, fit_try(f, best, 0));
    if (ndcg > most + FIT_LEAST_GAIN)
        return ndcg;
    set_shares(f, found);
    return most;
}
