#include "eval/contender.h"

#include "base/mem.h"
#include "engine/recommend.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECAY_LEAST 1e-3f

struct rows_state {
    struct rows_term terms[ROWS_TERMS_MAX];
    uint32_t term_count, item_count;
    float *prior; /* or NULL */
};

void contender_deinit(struct contender *c)
{
    if (c->deinit)
        c->deinit(c->state);
    *c = (struct contender){0};
}

static void add_term(const struct rows_term *t, const uint32_t *context, uint64_t count,
                     float *scores)
{
    float weight = 1;
    for (uint64_t k = count; k-- > 0 && weight >= DECAY_LEAST; weight *= t->decay) {
        const struct csr *rows = &t->rows;
        float share = weight * t->weight;
        for (uint64_t e = rows->start[context[k]]; e < rows->start[context[k] + 1]; e++)
            scores[rows->column[e]] += share * rows->value[e];
    }
}

static void score_rows(void *context, const struct split *split, uint32_t question, float *scores,
                       uint32_t worker)
{
    const struct rows_state *s = context;
    struct span given = split->questions.context[question];
    (void)worker;
    if (s->prior)
        memcpy(scores, s->prior, s->item_count * sizeof *scores);
    else
        memset(scores, 0, s->item_count * sizeof *scores);
    for (uint32_t t = 0; t < s->term_count; t++)
        add_term(&s->terms[t], split->questions.item + given.begin, given.end - given.begin,
                 scores);
}

static void free_rows(void *context)
{
    struct rows_state *s = context;
    for (uint32_t t = 0; t < s->term_count; t++)
        csr_deinit(&s->terms[t].rows);
    free(s->prior);
    free(s);
}

static int give_up(struct rows_term *terms, uint32_t count, float *prior, struct error *err)
{
    for (uint32_t t = 0; t < count; t++)
        csr_deinit(&terms[t].rows);
    free(prior);
    return error_set(err, ERR_NOMEM, "contender: out of memory");
}

static int make(const char *name, struct rows_term *terms, uint32_t count, uint32_t items,
                float *prior, struct contender *out, struct error *err)
{
    struct rows_state *s;
    assert(count <= ROWS_TERMS_MAX);
    if (!MEM_ZNEW(s, 1))
        return give_up(terms, count, prior, err);
    *s = (struct rows_state){.term_count = count, .item_count = items, .prior = prior};
    struct contender made = {.name = name, .state = s, .score = score_rows, .deinit = free_rows};
    made.cost.bytes = prior ? items * sizeof *prior : 0;
    for (uint32_t t = 0; t < count; t++) {
        assert(terms[t].rows.rows == items && terms[t].rows.cols == items);
        s->terms[t] = terms[t];
        made.cost.bytes += csr_bytes(&terms[t].rows);
    }
    *out = made;
    return 0;
}

int contender_rows(const char *name, struct rows_term *terms, uint32_t term_count, float *prior,
                   struct contender *out, struct error *err)
{
    assert(term_count);
    return make(name, terms, term_count, terms[0].rows.rows, prior, out, err);
}

int contender_prior(const char *name, float *prior, uint32_t item_count, struct contender *out,
                    struct error *err)
{
    return make(name, NULL, 0, item_count, prior, out, err);
}

static void score_habit(void *context, const struct split *split, uint32_t question, float *scores,
                        uint32_t worker)
{
    const struct rows_state *s = context;
    const struct questions *q = &split->questions;
    struct span history = q->history[question];
    (void)worker;
    memset(scores, 0, s->item_count * sizeof *scores);
    for (uint64_t k = history.begin; k < history.end; k++) {
        double age_s = (double)(q->time_ms[history.end - 1] - q->time_ms[k]) / 1000;
        scores[q->item[k]] += (float)exp2(-age_s / HABIT_HALF_LIFE_S);
    }
}

int contender_habit(const char *name, const struct dataset *train, struct contender *out,
                    struct error *err)
{
    int rc = contender_prior(name, NULL, train->item_count, out, err);
    if (rc == 0)
        out->score = score_habit;
    return rc;
}

static void score_frequency(void *context, const struct split *split, uint32_t question,
                            float *scores, uint32_t worker)
{
    const struct rows_state *s = context;
    struct span history = split->questions.history[question];
    (void)worker;
    memcpy(scores, s->prior, s->item_count * sizeof *scores);
    for (uint64_t k = history.begin; k < history.end; k++)
        scores[split->questions.item[k]] += 1;
}

int contender_frequency(const char *name, const struct dataset *train, struct contender *out,
                        struct error *err)
{
    uint32_t most = 0;
    float *prior;
    if (!MEM_NEW(prior, train->item_count))
        return give_up(NULL, 0, NULL, err);
    for (uint32_t i = 0; i < train->item_count; i++)
        most = train->item_orders[i] > most ? train->item_orders[i] : most;
    for (uint32_t i = 0; i < train->item_count; i++)
        prior[i] = .999f * (float)train->item_orders[i] / ((float)most + 1);
    int rc = contender_prior(name, prior, train->item_count, out, err);
    if (rc == 0)
        out->score = score_frequency;
    return rc;
}
