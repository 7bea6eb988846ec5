/* The dense form of what engine/candidates.c does for few items: prior, habit, and the rows of the
 * context from the newest item back. */
#include "eval/contender_mix.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "learn/popularity.h"
#include "neighbours_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECAY_LEAST 1e-3f
#define NOT_KNOWN   UINT32_MAX

struct state {
    const struct mix *mix;
    struct mix own_mix;
    const struct csr *rows[MATRIX_COUNT];
    struct csr own_rows[MATRIX_COUNT];
    const float *prior; /* by item of the mix; NULL: none */
    float *own_prior;
    const struct sessionknn *neighbours; /* NULL: none */
    struct sessionknn own_neighbours;
    struct sessionknn_scratch *scratch[PARALLEL_WORKERS_MAX];
    struct model *m;    /* NULL: items of the mix are those of the split */
    uint32_t *to_mix;   /* [items of the split] or NOT_KNOWN */
    uint32_t *to_split; /* [items of the mix] or NOT_KNOWN */
};

static uint32_t mapped(const uint32_t *map, uint32_t item)
{
    return map ? map[item] : item;
}

static void add_matrix(const struct state *s, enum matrix_kind kind, const uint32_t *context,
                       uint64_t count, float *scores)
{
    const struct csr *rows = s->rows[kind];
    float scale = s->mix->weight[kind], least = scale * DECAY_LEAST;
    for (uint64_t k = count; k-- > 0 && scale >= least; scale *= s->mix->decay[kind]) {
        uint32_t i = mapped(s->to_mix, context[k]);
        if (i == NOT_KNOWN)
            continue;
        for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++) {
            uint32_t j = mapped(s->to_split, rows->column[e]);
            if (j != NOT_KNOWN)
                scores[j] += scale * rows->value[e];
        }
    }
}

static void add_habit(const struct state *s, const struct questions *q, uint32_t question,
                      float *scores)
{
    struct span history = q->history[question];
    float weight = s->mix->habit, least = weight * DECAY_LEAST;
    for (uint64_t k = history.end; weight > 0 && k-- > history.begin && weight >= least;) {
        if (k + 1 < history.end && q->time_ms[k] != q->time_ms[k + 1])
            weight *= s->mix->habit_decay;
        scores[q->item[k]] += weight;
    }
}

/* Items that the mix does not know are left out of the context, as the server does. */
static void add_neighbours(const struct state *s, const uint32_t *context, uint64_t count,
                           struct sessionknn_scratch *scratch, float *scores)
{
    struct sessionknn_answer answer;
    uint32_t known[NEIGHBOURS_CONTEXT], kept = 0;
    uint64_t first = count > NEIGHBOURS_CONTEXT ? count - NEIGHBOURS_CONTEXT : 0;
    for (uint64_t x = first; x < count; x++)
        if (mapped(s->to_mix, context[x]) != NOT_KNOWN)
            known[kept++] = mapped(s->to_mix, context[x]);
    sessionknn_ask(s->neighbours, known, kept, scratch, &answer);
    for (uint32_t x = 0; x < answer.count; x++) {
        uint32_t j = mapped(s->to_split, answer.item[x]);
        if (j != NOT_KNOWN)
            scores[j] += s->mix->neighbours * answer.score[answer.item[x]] / answer.most;
    }
}

static void score(void *context, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker)
{
    const struct state *s = context;
    struct span given = split->questions.context[question];
    for (uint32_t i = 0; i < split->train.item_count; i++) {
        uint32_t item = mapped(s->to_mix, i);
        scores[i] = item == NOT_KNOWN ? -INFINITY : s->prior ? s->prior[item] : 0;
    }
    for (int k = 0; k < MATRIX_COUNT; k++)
        if (s->mix->weight[k] > 0 && s->rows[k]->start)
            add_matrix(s, (enum matrix_kind)k, split->questions.item + given.begin,
                       given.end - given.begin, scores);
    add_habit(s, &split->questions, question, scores);
    if (s->neighbours)
        add_neighbours(s, split->questions.item + given.begin, given.end - given.begin,
                       s->scratch[worker], scores);
}

static void deinit(void *context)
{
    struct state *s = context;
    for (int k = 0; k < MATRIX_COUNT; k++)
        csr_deinit(&s->own_rows[k]);
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++)
        sessionknn_scratch_free(s->scratch[w]);
    sessionknn_deinit(&s->own_neighbours);
    free(s->own_prior);
    free(s->to_mix);
    free(s->to_split);
    model_unref(s->m);
    free(s);
}

int contender_mix(const char *name, const struct mix *mix, struct csr rows[MATRIX_COUNT],
                  float *prior, struct contender *out, struct error *err)
{
    struct state *s;
    if (!MEM_ZNEW(s, 1)) {
        for (int k = 0; k < MATRIX_COUNT; k++)
            csr_deinit(&rows[k]);
        free(prior);
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    }
    *s = (struct state){.own_mix = *mix, .prior = prior, .own_prior = prior};
    s->mix = &s->own_mix;
    *out = (struct contender){.name = name, .state = s, .score = score, .deinit = deinit};
    for (int k = 0; k < MATRIX_COUNT; k++) {
        s->own_rows[k] = rows[k];
        s->rows[k] = &s->own_rows[k];
        out->cost.bytes += rows[k].start ? csr_bytes(&rows[k]) : 0;
    }
    return 0;
}

static int reserve_scratch(struct state *s, uint32_t threads, struct error *err)
{
    uint32_t workers = parallel_workers(threads);
    int rc = 0;
    for (uint32_t w = 0; s->neighbours && w < workers && rc == 0; w++)
        rc = sessionknn_scratch_reserve(&s->scratch[w], s->neighbours, err);
    return rc;
}

/* Where its mix weighs neighbours, the contender asks those of the split's training too. On an
 * error it may only be deinitialized. */
static int ask_neighbours(struct contender *c, const struct split *split, uint32_t threads,
                          struct error *err)
{
    struct state *s = c->state;
    if (!(s->mix->neighbours > 0))
        return 0;
    int rc = split_neighbours(split, &s->own_neighbours, err);
    if (rc)
        return rc;
    if (!s->own_neighbours.start)
        return 0;
    s->neighbours = &s->own_neighbours;
    c->cost.bytes += sessionknn_bytes(s->neighbours);
    return reserve_scratch(s, threads, err);
}

void contender_mix_rows(struct contender *c, struct csr rows[MATRIX_COUNT])
{
    struct state *s = c->state;
    for (int k = 0; k < MATRIX_COUNT; k++) {
        rows[k] = s->own_rows[k];
        s->own_rows[k] = (struct csr){0};
    }
}

int contender_fitted(const char *name, const struct split *split, const struct mix *mix,
                     struct csr rows[MATRIX_COUNT], uint32_t threads, struct contender *out,
                     struct error *err)
{
    struct popularity popularity = {0};
    float *prior = NULL;
    int rc = popularity_build(&split->train, 0, &popularity, err);
    if (rc == 0 && !MEM_NEW(prior, split->train.item_count))
        rc = error_set(err, ERR_NOMEM, "contender: out of memory");
    if (rc == 0)
        popularity_prior(&popularity, mix->popular, mix->recent, prior);
    popularity_deinit(&popularity);
    for (int k = 0; k < MATRIX_COUNT && rc; k++)
        csr_deinit(&rows[k]);
    if (rc == 0)
        rc = contender_mix(name, mix, rows, prior, out, err);
    if (rc)
        return rc;
    rc = ask_neighbours(out, split, threads, err);
    if (rc)
        contender_deinit(out);
    return rc;
}

/* Both number items by ascending store key. */
static void match_items(struct state *s, const struct dataset *d)
{
    uint32_t x = 0;
    for (uint32_t i = 0; i < d->item_count; i++)
        s->to_mix[i] = NOT_KNOWN;
    for (uint32_t j = 0; j < s->m->item_count; j++) {
        while (x < d->item_count && d->item_key[x] < s->m->slot[j])
            x++;
        bool same = x < d->item_count && d->item_key[x] == s->m->slot[j];
        s->to_split[j] = same ? x : NOT_KNOWN;
        if (same)
            s->to_mix[x] = j;
    }
}

int contender_model(const char *name, struct model *m, enum mix_kind kind,
                    const struct split *split, uint32_t threads, struct contender *out,
                    struct error *err)
{
    struct state *s;
    if (!MEM_ZNEW(s, 1))
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    *s = (struct state){
        .m = model_ref(m), .own_mix = m->recipe.mixes[kind], .prior = m->priors[kind].of_item};
    s->mix = &s->own_mix;
    if (!mix_has_habit(kind))
        s->own_mix.habit = 0;
    for (int k = 0; k < MATRIX_COUNT; k++)
        s->rows[k] = &m->matrices[k].rows;
    MEM_NEW(s->to_mix, split->train.item_count);
    MEM_NEW(s->to_split, m->item_count);
    if (!s->to_mix || !s->to_split) {
        deinit(s);
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    }
    match_items(s, &split->train);
    if (s->mix->neighbours > 0 && m->neighbours.start)
        s->neighbours = &m->neighbours;
    int rc = reserve_scratch(s, threads, err);
    if (rc) {
        deinit(s);
        return rc;
    }
    *out = (struct contender){.name = name, .state = s, .score = score, .deinit = deinit};
    return 0;
}
