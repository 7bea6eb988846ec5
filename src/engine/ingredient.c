/* One line for each learner and one for each parameter: everything else goes by them. */
#include "engine/ingredient.h"

#include "recipe_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#define M(kind) (1u << MATRIX_##kind)
#define L(kind) (1u << LEARNER_##kind)

#define OF_UNITS (M(ORDERS) | M(SHOPPERS) | M(ALIKE))
#define OF_PAIRS (L(COSINE) | L(JACCARD) | L(LLR) | L(CONFIDENCE))

static const char *const matrices[] = {"orders", "shoppers", "next", "alike", "visits"};
_Static_assert(sizeof matrices / sizeof *matrices == MATRIX_COUNT, "one name each");

static const struct {
    const char *name;
    uint32_t matrices; /* a bit for each that it makes */
} learners[] = {
    [LEARNER_COSINE] = {"cosine", OF_UNITS},
    [LEARNER_JACCARD] = {"jaccard", OF_UNITS},
    [LEARNER_LLR] = {"llr", OF_UNITS},
    [LEARNER_CONFIDENCE] = {"confidence", OF_UNITS},
    [LEARNER_RIDGE] = {"ridge", OF_UNITS},
    [LEARNER_SEQUENCE] = {"sequence", M(NEXT) | M(VISITS)},
    [LEARNER_LOWRANK] = {"lowrank", OF_UNITS},
    [LEARNER_IALS] = {"ials", OF_UNITS},
    [LEARNER_SGNS] = {"sgns", OF_UNITS},
    [LEARNER_SOFTMAX] = {"softmax", M(SHOPPERS)},
    [LEARNER_STAN] = {"stan", M(SHOPPERS)},
};
_Static_assert(sizeof learners / sizeof *learners == LEARNER_COUNT, "one line each");

struct parameter {
    const char *name;
    uint32_t learners; /* a bit for each that has it */
    size_t offset;     /* in struct ingredient */
    uint32_t step;     /* a whole number, a multiple of it; 0: a real one */
    float low, high, usual;
};

static const struct parameter parameters[] = {
    {"min_count", OF_PAIRS, offsetof(struct ingredient, min_count), 1, 0, 1e6f, 0},
    {"neighbours", L(RIDGE), offsetof(struct ingredient, neighbours), 1, 1, 1000, 200},
    {"neighbours", L(STAN), offsetof(struct ingredient, neighbours), 1, 1, 1000, 500},
    {"lambda", L(RIDGE), offsetof(struct ingredient, lambda), 0, 1e-6f, 1e9f, 20},
    {"unit_power", L(RIDGE), offsetof(struct ingredient, unit_power), 0, 0, 2, 0.5f},
    {"half_life_days", L(RIDGE), offsetof(struct ingredient, half_life_days), 0, 0, 1e5f, 0},
    {"distance", L(SEQUENCE), offsetof(struct ingredient, distance), 1, 1, 1000, 50},
    {"gap_power", L(SEQUENCE), offsetof(struct ingredient, gap_power), 0, 1e-3f, 4, 0.7f},
    {"count_power", L(SEQUENCE), offsetof(struct ingredient, count_power), 0, 1e-3f, 2, 0.7f},
    {"source_power", L(SEQUENCE), offsetof(struct ingredient, source_power), 0, 0, 2, 0.25f},
    {"target_power", L(SEQUENCE), offsetof(struct ingredient, target_power), 0, 0, 2, 0.05f},
    {"rank", L(LOWRANK) | L(SOFTMAX), offsetof(struct ingredient, rank), 1, 1, 512, 64},
    {"rank", L(SGNS), offsetof(struct ingredient, rank), 8, 8, 512, 64},
    {"rank", L(IALS), offsetof(struct ingredient, rank), 8, 8, 256, 64},
    {"reg", L(IALS), offsetof(struct ingredient, reg), 0, 1e-6f, 1e3f, 0.003f},
    {"unseen", L(IALS), offsetof(struct ingredient, unseen), 0, 1e-6f, 1e3f, 0.1f},
    {"ageing", L(STAN), offsetof(struct ingredient, ageing), 0, 1e-3f, 1e3f, 2},
    {"reach", L(STAN), offsetof(struct ingredient, reach), 0, 1e-3f, 1e3f, 5},
};
#define PARAMETERS (sizeof parameters / sizeof *parameters)
_Static_assert(PARAMETERS <= 32, "a bit each");

const char *matrix_name(enum matrix_kind kind)
{
    assert(kind < MATRIX_COUNT);
    return matrices[kind];
}

const char *learner_name(enum learner_kind learner)
{
    assert(learner < LEARNER_COUNT);
    return learners[learner].name;
}

static bool has(enum learner_kind learner, const struct parameter *p)
{
    return p->learners >> learner & 1;
}

static double get(const struct ingredient *g, const struct parameter *p)
{
    const char *at = (const char *)g + p->offset;
    return p->step ? (double)*(const uint32_t *)(const void *)at
                   : recipe_plain(*(const float *)(const void *)at);
}

static void set(struct ingredient *g, const struct parameter *p, double value)
{
    char *at = (char *)g + p->offset;
    if (p->step)
        *(uint32_t *)(void *)at = (uint32_t)value;
    else
        *(float *)(void *)at = (float)value;
}

/* False for NaN. */
static bool fits(const struct parameter *p, double value)
{
    return value >= recipe_plain(p->low) && value <= recipe_plain(p->high) &&
           (!p->step || fmod(value, p->step) == 0);
}

const char *ingredient_fault(const struct ingredient *g)
{
    if (g->matrix >= MATRIX_COUNT || g->learner >= LEARNER_COUNT ||
        !(learners[g->learner].matrices >> g->matrix & 1))
        return "a learner in a matrix that it does not make";
    if (!recipe_in_range(g->share, 0, 1e6f))
        return "share";
    for (size_t x = 0; x < PARAMETERS; x++)
        if (has(g->learner, &parameters[x]) && !fits(&parameters[x], get(g, &parameters[x])))
            return parameters[x].name;
    if (g->half_life_days > 0 && g->matrix == MATRIX_SHOPPERS)
        return "half_life_days: shoppers have no age";
    return NULL;
}

void ingredient_json(const struct ingredient *g, struct buf *out)
{
    buf_printf(out, "{\"matrix\":\"%s\",\"learner\":\"%s\"", matrix_name(g->matrix),
               learner_name(g->learner));
    recipe_member(out, "share", recipe_plain(g->share));
    for (size_t x = 0; x < PARAMETERS; x++)
        if (has(g->learner, &parameters[x]))
            recipe_member(out, parameters[x].name, get(g, &parameters[x]));
    buf_char(out, '}');
}

static int no_learner(struct str text, struct error *err)
{
    return error_set(err, ERR_INVALID,
                     "learner '%.*s': expected a matrix and who makes it, such as orders/ridge, "
                     "shoppers/softmax or next/sequence:distance=20",
                     STR_ARG(text));
}

static int find_learner(struct str matrix, struct str learner, struct ingredient *g)
{
    uint32_t k = 0, l = 0;
    while (k < MATRIX_COUNT && !str_eq(matrix, str_of(matrices[k])))
        k++;
    while (l < LEARNER_COUNT && !str_eq(learner, str_of(learners[l].name)))
        l++;
    if (k == MATRIX_COUNT || l == LEARNER_COUNT || !(learners[l].matrices >> k & 1))
        return ERR_NOT_FOUND;
    *g = (struct ingredient){
        .matrix = (enum matrix_kind)k, .learner = (enum learner_kind)l, .share = 1};
    for (size_t x = 0; x < PARAMETERS; x++)
        if (has(g->learner, &parameters[x]))
            set(g, &parameters[x], recipe_plain(parameters[x].usual));
    return 0;
}

static int no_parameter(struct str name, enum learner_kind learner, struct error *err)
{
    char known[160] = "none";
    size_t length = 0;
    for (size_t x = 0; x < PARAMETERS; x++)
        if (has(learner, &parameters[x]))
            length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
                                       length ? ", " : "", parameters[x].name);
    return error_set(err, ERR_INVALID, "learner %s has no parameter '%.*s'; it has %s",
                     learner_name(learner), STR_ARG(name), known);
}

static int not_in_range(const struct parameter *p, struct str text, enum learner_kind learner,
                        struct error *err)
{
    char step[40] = "";
    if (p->step == 1)
        snprintf(step, sizeof step, ", a whole one");
    if (p->step > 1)
        snprintf(step, sizeof step, ", a multiple of %u", p->step);
    return error_set(err, ERR_INVALID, "learner %s: %s=%.*s: expected a number from %g to %g%s",
                     learner_name(learner), p->name, STR_ARG(text), (double)p->low, (double)p->high,
                     step);
}

/* One "name=value"; *given: a bit for each that was. */
static int take_parameter(struct ingredient *g, struct str text, uint32_t *given, struct error *err)
{
    const struct parameter *p = NULL;
    struct str name = str_cut(&text, '=');
    double value;
    for (size_t x = 0; !p && x < PARAMETERS; x++)
        if (has(g->learner, &parameters[x]) && str_eq(name, str_of(parameters[x].name)))
            p = &parameters[x];
    if (!p)
        return no_parameter(name, g->learner, err);
    if (!text.ptr || !str_to_f64(text, &value) || !fits(p, value))
        return not_in_range(p, text, g->learner, err);
    if (*given >> (p - parameters) & 1)
        return error_set(err, ERR_INVALID, "learner %s: %s is given twice",
                         learner_name(g->learner), p->name);
    *given |= 1u << (p - parameters);
    set(g, p, value);
    return 0;
}

int ingredient_parse(struct str text, struct ingredient *out, struct error *err)
{
    struct str rest = text, head = str_cut(&rest, ':'), learner = head;
    struct str matrix = str_cut(&learner, '/');
    struct ingredient made;
    uint32_t given = 0;
    if (!learner.ptr || find_learner(matrix, learner, &made))
        return no_learner(head, err);
    while (rest.ptr) {
        int rc = take_parameter(&made, str_cut(&rest, ':'), &given, err);
        if (rc)
            return rc;
    }
    if (ingredient_fault(&made))
        return error_set(err, ERR_INVALID, "learner '%.*s': %s", STR_ARG(text),
                         ingredient_fault(&made));
    *out = made;
    return 0;
}
