/* Session neighbours: what comes next in a visit, from the past visits most like it. */
#include "entrant_internal.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "learn/sessionknn.h"

#include <stdlib.h>
#include <string.h>

/* As published: more than is served. */
#define RECENT     5000
#define NEIGHBOURS 500

struct state {
    struct sessionknn index;
    struct sessionknn_scratch *scratch[PARALLEL_WORKERS_MAX];
};

static void deinit(void *context)
{
    struct state *s = context;
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++)
        sessionknn_scratch_free(s->scratch[w]);
    sessionknn_deinit(&s->index);
    free(s);
}

static void score(void *context, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker)
{
    struct state *s = context;
    struct span given = split->questions.context[question];
    struct sessionknn_answer answer;
    sessionknn_ask(&s->index, split->questions.item + given.begin,
                   (uint32_t)(given.end - given.begin), s->scratch[worker], &answer);
    memcpy(scores, answer.score, split->train.item_count * sizeof *scores);
}

static int prepare(struct state *s, const struct training *t, enum sessionknn_form form,
                   struct error *err)
{
    const struct sessionknn_params params = {
        .form = form, .recent = RECENT, .neighbours = NEIGHBOURS};
    uint32_t workers = parallel_workers(t->threads);
    int rc = sessionknn_build(&t->histories, &params, &s->index, err);
    for (uint32_t w = 0; rc == 0 && w < workers; w++)
        if (!(s->scratch[w] = sessionknn_scratch_new(&s->index, err)))
            rc = ERR_NOMEM;
    return rc;
}

static int train(const struct training *t, const char *name, enum sessionknn_form form,
                 struct contender *out, struct error *err)
{
    struct state *s;
    if (!MEM_ZNEW(s, 1))
        return error_set(err, ERR_NOMEM, "contender: out of memory");
    int rc = prepare(s, t, form, err);
    if (rc) {
        deinit(s);
        return rc;
    }
    *out = (struct contender){.name = name, .state = s, .score = score, .deinit = deinit};
    out->cost.bytes = sessionknn_bytes(&s->index);
    return 0;
}

int entrant_train_stan(const struct training *t, struct contender *out, struct error *err)
{
    return train(t, "stan", SESSIONKNN_STAN, out, err);
}

int entrant_train_vmis(const struct training *t, struct contender *out, struct error *err)
{
    return train(t, "vmis", SESSIONKNN_VMIS, out, err);
}
