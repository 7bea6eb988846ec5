/* What was not said is chosen by the kind of data. */
#include "service/evaluating.h"

#include <stdio.h>

struct chosen {
    const struct entrant *at[MODELS_MAX];
    struct entrant learners[EVALUATING_LEARNERS_MAX];
    uint32_t count;
};

static int unknown_model(struct str name, struct error *err)
{
    char known[220]; /* the text of an error has 256 */
    uint32_t count;
    size_t length = 0;
    const struct entrant *all = entrant_list(&count);
    for (uint32_t i = 0; i < count && length < sizeof known; i++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                                   all[i].name);
    return error_set(err, ERR_INVALID, "no model '%.*s'; there are %s", STR_ARG(name), known);
}

static bool named(struct str list, const char *name)
{
    while (list.ptr)
        if (str_eq(str_trim(str_cut(&list, ',')), str_of(name)))
            return true;
    return false;
}

static bool given_before(const char *const *learners, uint32_t i)
{
    for (uint32_t x = 0; x < i; x++)
        if (str_eq(str_of(learners[x]), str_of(learners[i])))
            return true;
    return false;
}

static int add_learners(const struct evaluating_request *request, struct chosen *out,
                        struct error *err)
{
    for (uint32_t i = 0; request->learners && request->learners[i]; i++) {
        if (i == EVALUATING_LEARNERS_MAX || out->count == MODELS_MAX)
            return error_set(err, ERR_INVALID, "--learner: too many models, at most %d",
                             EVALUATING_LEARNERS_MAX);
        if (given_before(request->learners, i))
            return error_set(err, ERR_INVALID, "--learner %s: it is given twice",
                             request->learners[i]);
        int rc = entrant_of_learner(request->learners[i], &out->learners[i], err);
        if (rc)
            return rc;
        out->at[out->count++] = &out->learners[i];
    }
    return 0;
}

/* Baselines that suit the data always, others as asked. */
static int choose_models(const struct evaluating_request *request, const struct split_params *split,
                         bool timed, bool shoppers, struct chosen *out, struct error *err)
{
    uint32_t count;
    const struct entrant *all = entrant_list(&count);
    for (struct str rest = request->models, name; request->models.len && rest.ptr;) {
        name = str_trim(str_cut(&rest, ','));
        if (!entrant_find(name))
            return unknown_model(name, err);
    }
    bool chosen = request->models.len || (request->learners && request->learners[0]);
    for (uint32_t i = 0; i < count && out->count < MODELS_MAX; i++) {
        bool fits = !entrant_problem(&all[i], split, timed, shoppers);
        bool asked = request->models.len && named(request->models, all[i].name);
        if (asked || (fits && (all[i].baseline || (!chosen && !all[i].slow))))
            out->at[out->count++] = &all[i];
    }
    return add_learners(request, out, err);
}

static int choose_curve(const struct evaluating_request *request, const struct split_params *split,
                        bool timed, bool shoppers, struct chosen *out, struct error *err)
{
    struct str name = request->models.len ? str_trim(request->models) : STR("blend");
    const struct entrant *entrant = entrant_find(name);
    const char *problem = entrant ? entrant_problem(entrant, split, timed, shoppers) : NULL;
    if (!entrant)
        return unknown_model(name, err);
    if (problem)
        return error_set(err, ERR_INVALID, "model %s %s", entrant->name, problem);
    bool learners = request->learners && request->learners[0];
    if (request->against.len || request->canaries || request->params.open_ties || learners)
        return error_set(err, ERR_INVALID,
                         "--curve is about one model and its lists: it goes without %s",
                         request->against.len ? "--against"
                         : request->canaries  ? "--canaries"
                         : learners           ? "--learner"
                                              : "--expected-ties");
    out->at[out->count++] = entrant;
    return 0;
}

static int choose_against(const struct evaluating_request *request, const struct chosen *chosen,
                          const struct entrant **out, struct error *err)
{
    *out = NULL;
    if (!request->against.len)
        return 0;
    for (uint32_t i = 0; i < chosen->count; i++)
        if (str_eq(str_of(chosen->at[i]->name), request->against))
            *out = chosen->at[i];
    if (*out)
        return 0;
    if (!entrant_find(request->against))
        return unknown_model(request->against, err);
    return error_set(err, ERR_INVALID, "--against %.*s: it is not among the models",
                     STR_ARG(request->against));
}

static int choose_protocol(const struct evaluating_request *request, const struct evaldata *data,
                           struct split_params *p, struct error *err)
{
    bool sequences = data->format == FORMAT_SEQUENCES;
    bool session = request->task_given && p->task == TASK_SESSION;
    if (!request->protocol_given)
        p->protocol = sequences && !session ? PROTOCOL_LEAVE_LAST_OUT : PROTOCOL_TIME;
    if (!request->task_given)
        p->task = p->protocol == PROTOCOL_LEAVE_LAST_OUT ? TASK_PERSONAL : TASK_BASKET;
    if (sequences && p->protocol != PROTOCOL_LEAVE_LAST_OUT && !session)
        return error_set(err, ERR_INVALID,
                         "sequences have no times and no baskets: take --protocol leave-last-out, "
                         "or --surface session, where a line is a session and later than those "
                         "before");
    return 0;
}

struct contradiction {
    bool given, fits;
    const char *option, *about;
};

/* An option that would change nothing was meant for something else. */
static int check_options(const struct split_params *p, struct error *err)
{
    bool last_out = p->protocol == PROTOCOL_LEAVE_LAST_OUT, basket = p->task == TASK_BASKET;
    const struct contradiction all[] = {
        {p->anonymous, basket, "anonymous", "--surface basket"},
        {p->targets, basket, "targets", "--surface basket"},
        {p->context_max, basket, "context-max", "--surface basket"},
        {p->bought, p->task == TASK_PERSONAL, "bought", "--surface personal"},
        {p->refit, last_out, "refit", "--protocol leave-last-out"},
        {p->test_share > 0, !last_out, "test-share", "the protocols time and leave-one-out"},
        {p->valid_share > 0, !last_out, "valid-share", "the protocols time and leave-one-out"},
    };
    for (size_t x = 0; x < sizeof all / sizeof *all; x++)
        if (all[x].given && !all[x].fits)
            return error_set(err, ERR_INVALID, "--%s is about %s, this is protocol %s, surface %s",
                             all[x].option, all[x].about, protocol_name(p->protocol),
                             task_name(p->task));
    return 0;
}

static int evaluate(const struct evaluating_request *request, const struct evaldata *data,
                    struct evaluating_report *report, struct error *err)
{
    struct chosen chosen = {0};
    struct evaluation_params *p = &report->params;
    *p = request->params;
    p->split.id_rank = data->id_rank;
    p->timed = data->timed;
    int rc = choose_protocol(request, data, &p->split, err);
    bool shoppers = data->orders.user_count > 0;
    if (rc == 0)
        rc = check_options(&p->split, err);
    if (rc == 0)
        rc = p->curve ? choose_curve(request, &p->split, data->timed, shoppers, &chosen, err)
                      : choose_models(request, &p->split, data->timed, shoppers, &chosen, err);
    if (rc == 0)
        rc = choose_against(request, &chosen, &p->against, err);
    report->usage = rc != 0;
    if (rc)
        return rc;
    p->entrants = chosen.at;
    p->entrant_count = chosen.count;
    report->input.model = p->curve && chosen.count ? chosen.at[0]->name : NULL;
    split_defaults(&p->split);
    rc = evaluation_run(&data->orders, p, &report->evaluation, err);
    for (int c = 0; rc == 0 && request->canaries && c < CANARY_COUNT; c++)
        rc = canary_run(&data->orders, p, (enum canary)c, &report->canaries[c], err);
    if (request->canaries)
        report->input.canaries = report->canaries;
    return rc;
}

int evaluating_run(const struct evaluating_request *request, struct evaluating_report *report,
                   struct error *err)
{
    struct evaldata data;
    struct evaldata_request input = request->input;
    const struct split_params *split = &request->params.split;
    *report = (struct evaluating_report){0};
    input.sessions = request->task_given && split->task == TASK_SESSION;
    input.by_line =
        input.sessions && !(request->protocol_given && split->protocol == PROTOCOL_LEAVE_LAST_OUT);
    int rc = evaldata_read(&input, &data, err);
    if (rc)
        return rc;
    report->input = (struct report_input){
        .source = request->input.path ? request->input.path : request->input.data,
        .format = request->input.path ? evaldata_format_name(data.format) : "store",
        .hash = data.hash};
    report->rejected = data.rejected;
    for (size_t i = 0; i < sizeof report->first_problem; i++)
        report->first_problem[i] = data.first_problem[i];
    rc = data.orders.basket_count
             ? evaluate(request, &data, report, err)
             : error_set(err, ERR_INVALID, "%s: there are no orders in it%s%s",
                         report->input.source, data.rejected ? "; " : "", data.first_problem);
    report->params.entrants = NULL;
    evaldata_deinit(&data);
    return rc;
}
