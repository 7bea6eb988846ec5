#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/sessionknn.h"
#include "support/oom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS    40
#define SESSIONS 120
#define LONGEST  12

struct made {
    uint64_t start[SESSIONS + 1];
    uint32_t item[SESSIONS * LONGEST];
    struct histories rows;
};

static void make(struct made *m, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    m->start[0] = 0;
    for (uint32_t r = 0; r < SESSIONS; r++) {
        uint32_t length = rng_below(&rng, LONGEST + 1), centre = rng_below(&rng, ITEMS);
        for (uint32_t x = 0; x < length; x++)
            m->item[m->start[r] + x] = (centre + rng_below(&rng, 8)) % ITEMS;
        m->start[r + 1] = m->start[r] + length;
    }
    m->rows = (struct histories){
        .count = SESSIONS, .item_count = ITEMS, .start = m->start, .item = m->item};
}

/* ---- by the definition, over all sessions ---- */

static uint32_t last_place(const uint32_t *row, uint32_t length, uint32_t item)
{
    uint32_t place = 0; /* from 1; 0: not in it */
    for (uint32_t x = 0; x < length; x++)
        place = row[x] == item ? x + 1 : place;
    return place;
}

struct plain {
    const uint32_t *row[SESSIONS]; /* that tell something */
    uint32_t length[SESSIONS], count;
    uint32_t df[ITEMS];
};

static void plain_index(const struct made *m, struct plain *p)
{
    memset(p, 0, sizeof *p);
    for (uint32_t r = 0; r < SESSIONS; r++) {
        const uint32_t *row = m->item + m->start[r];
        uint32_t length = (uint32_t)(m->start[r + 1] - m->start[r]), distinct = 0;
        for (uint32_t i = 0; i < ITEMS; i++)
            distinct += last_place(row, length, i) > 0;
        if (distinct < 2)
            continue;
        p->row[p->count] = row;
        p->length[p->count++] = length;
        for (uint32_t i = 0; i < ITEMS; i++)
            p->df[i] += last_place(row, length, i) > 0;
    }
}

/* Whether r is among the m latest sessions with the item. */
static bool is_recent(const struct plain *p, uint32_t r, uint32_t item, uint32_t m)
{
    uint32_t later = 0;
    for (uint32_t s = r + 1; s < p->count; s++)
        later += last_place(p->row[s], p->length[s], item) > 0;
    return later < m;
}

static void plain_score(const struct plain *p, const struct sessionknn_params *q,
                        const uint32_t *context, uint32_t length, double *score)
{
    double likeness[SESSIONS] = {0};
    uint32_t newest[SESSIONS] = {0}; /* place in the context */
    bool vmis = q->form == SESSIONKNN_VMIS, taken[SESSIONS] = {false};
    memset(score, 0, ITEMS * sizeof *score);
    for (uint32_t r = 0; r < p->count; r++) {
        double sum = 0;
        for (uint32_t i = 0; i < ITEMS; i++) {
            uint32_t place = last_place(context, length, i);
            if (!place || (!vmis && exp(((double)place - length) / q->l1) < .001) ||
                !last_place(p->row[r], p->length[r], i) || !is_recent(p, r, i, q->recent))
                continue;
            sum += vmis ? place : exp(((double)place - length) / q->l1);
            newest[r] = place > newest[r] ? place : newest[r];
        }
        likeness[r] = vmis ? sum / length
                           : sum / sqrt((double)length * p->length[r]) *
                                 exp(-q->l2 * (1 - (r + 1.0) / p->count));
    }
    for (uint32_t n = 0; n < q->neighbours; n++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t r = p->count; r-- > 0;)
            if (!taken[r] && likeness[r] > 0 &&
                (best == UINT32_MAX || likeness[r] > likeness[best] + 1e-12))
                best = r;
        if (best == UINT32_MAX)
            break;
        taken[best] = true;
        double steps = length - newest[best] + 1;
        double centre = last_place(p->row[best], p->length[best], context[newest[best] - 1]);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double place = last_place(p->row[best], p->length[best], i);
            if (place > 0 && vmis)
                score[i] +=
                    likeness[best] * fmax(0, 1 - .1 * steps) * log((double)p->count / p->df[i]);
            else if (place > 0)
                score[i] += likeness[best] * exp(-fabs(place - centre) / q->l3);
        }
    }
    score[context[length - 1]] = 0;
}

static void both_forms_equal_the_plain_way(void **state)
{
    (void)state;
    static const struct sessionknn_params settings[] = {
        {SESSIONKNN_VMIS, 5000, 500, 1.25f, 2, 5, 0}, {SESSIONKNN_VMIS, 4, 6, 1.25f, 2, 5, 0},
        {SESSIONKNN_STAN, 5000, 500, 1.25f, 2, 5, 0}, {SESSIONKNN_STAN, 5, 7, 3, .5f, 2, 0},
        {SESSIONKNN_VMIS, 1, 1, 1, 1, 1, 0},          {SESSIONKNN_STAN, 1, 1, 1, 1, 1, 0}};
    struct rng rng;
    rng_seed(&rng, 77);
    for (uint32_t round = 0; round < 60; round++) {
        static struct made m;
        static struct plain p;
        const struct sessionknn_params *q = &settings[round % 6];
        struct sessionknn k;
        make(&m, round);
        plain_index(&m, &p);
        assert_int_equal(sessionknn_build(&m.rows, q, &k, NULL), 0);
        assert_int_equal(k.session_count, p.count);
        struct sessionknn_scratch *s = sessionknn_scratch_new(&k, NULL);
        assert_non_null(s);
        for (uint32_t ask = 0; ask < 30; ask++) { /* the scratch is used again and again */
            uint32_t context[15], length = 1 + rng_below(&rng, 15), at = rng_below(&rng, ITEMS);
            double want[ITEMS];
            struct sessionknn_answer got;
            for (uint32_t x = 0; x < length; x++)
                context[x] = (at + rng_below(&rng, 10)) % ITEMS;
            plain_score(&p, q, context, length, want);
            sessionknn_ask(&k, context, length, s, &got);
            uint32_t scored = 0;
            for (uint32_t i = 0; i < ITEMS; i++) {
                assert_true(fabs(got.score[i] - want[i]) <= 1e-5 * fmax(1, want[i]));
                scored += got.score[i] != 0;
            }
            assert_int_equal(got.count, scored);
            for (uint32_t x = 0; x < got.count; x++)
                assert_true(got.score[got.item[x]] > 0);
        }
        sessionknn_scratch_free(s);
        sessionknn_deinit(&k);
    }
}

static void the_next_item_of_the_only_visit_alike_comes_first(void **state)
{
    (void)state;
    uint64_t start[] = {0, 3, 6, 7};
    uint32_t item[] = {0, 1, 2, 3, 4, 5, 1};
    struct histories rows = {.count = 3, .item_count = 6, .start = start, .item = item};
    for (int form = 0; form < 2; form++) {
        struct sessionknn_params params = {.form = (enum sessionknn_form)form};
        struct sessionknn k;
        struct sessionknn_answer a;
        assert_int_equal(sessionknn_build(&rows, &params, &k, NULL), 0);
        assert_int_equal(k.session_count, 2); /* one item tells nothing */
        struct sessionknn_scratch *s = sessionknn_scratch_new(&k, NULL);
        sessionknn_ask(&k, (uint32_t[]){0, 1}, 2, s, &a);
        assert_int_equal(a.neighbours, 1);
        assert_int_equal(a.count, 2); /* 0 may come again, 1 is where the visitor is */
        assert_true(a.score[2] > 0 && a.score[0] > 0 && a.score[1] == 0 && a.score[4] == 0);
        sessionknn_ask(&k, NULL, 0, s, &a);
        assert_int_equal(a.count, 0);
        assert_true(a.score[2] == 0);
        sessionknn_scratch_free(s);
        sessionknn_deinit(&k);
    }
}

static void no_sessions_answer_nothing(void **state)
{
    (void)state;
    uint64_t start[] = {0};
    struct histories rows = {.item_count = 3, .start = start};
    struct sessionknn k;
    struct sessionknn_answer a;
    assert_int_equal(sessionknn_build(&rows, NULL, &k, NULL), 0);
    struct sessionknn_scratch *s = sessionknn_scratch_new(&k, NULL);
    sessionknn_ask(&k, (uint32_t[]){2}, 1, s, &a);
    assert_int_equal(a.count, 0);
    assert_int_equal(a.neighbours, 0);
    sessionknn_scratch_free(s);
    sessionknn_deinit(&k);
}

static void asking_allocates_nothing(void **state)
{
    (void)state;
    static struct made m;
    struct sessionknn k;
    struct sessionknn_answer a;
    make(&m, 3);
    assert_int_equal(sessionknn_build(&m.rows, NULL, &k, NULL), 0);
    struct sessionknn_scratch *s = sessionknn_scratch_new(&k, NULL);
    oom_disarm();
    for (uint32_t i = 0; i < ITEMS; i++)
        sessionknn_ask(&k, (uint32_t[]){i, (i + 1) % ITEMS}, 2, s, &a);
    assert_int_equal(oom_count(), 0);
    sessionknn_scratch_free(s);
    sessionknn_deinit(&k);
}

static void a_row_is_the_answer_to_one_item(void **state)
{
    struct made m;
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const struct sessionknn_params params = {
            .form = seed % 2 ? SESSIONKNN_STAN : SESSIONKNN_VMIS, .neighbours = 5};
        struct sessionknn k;
        struct plain plain;
        struct csr rows;
        double expected[ITEMS];
        make(&m, seed);
        plain_index(&m, &plain);
        assert_int_equal(sessionknn_build(&m.rows, &params, &k, NULL), 0);
        const struct sessionknn_rows_params best = {.keep = seed < 4 ? ITEMS : 3,
                                                    .threads = (uint32_t)seed % 3};
        assert_int_equal(sessionknn_rows(&k, &best, &rows, NULL), 0);
        assert_int_equal(csr_check(&rows, NULL), 0);
        for (uint32_t i = 0; i < ITEMS; i++) {
            uint32_t scored = 0, length = (uint32_t)(rows.start[i + 1] - rows.start[i]);
            float least = INFINITY;
            plain_score(&plain, &k.params, &i, 1, expected);
            for (uint64_t e = rows.start[i]; e < rows.start[i + 1]; e++) {
                assert_true(fabs((double)rows.value[e] - expected[rows.column[e]]) < 1e-5);
                assert_true(rows.value[e] <= least);
                least = rows.value[e];
                expected[rows.column[e]] = 0;
            }
            for (uint32_t j = 0; j < ITEMS; j++) {
                scored += expected[j] > 0;
                assert_true(length == 0 || expected[j] <= (double)least + 1e-5);
            }
            assert_true(length == best.keep || scored == 0);
        }
        csr_deinit(&rows);
        sessionknn_deinit(&k);
    }
}

static bool row_has(const struct plain *p, uint32_t row, uint32_t item)
{
    return last_place(p->row[row], p->length[row], item) > 0;
}

/* With room for all neighbours those that share an item speak. */
static void holders_are_the_sessions_that_spoke_and_have_it(void **state)
{
    struct made m;
    uint32_t all[ITEMS], got[ITEMS];
    (void)state;
    for (uint32_t i = 0; i < ITEMS; i++)
        all[i] = i;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sessionknn k;
        struct plain plain;
        struct sessionknn_answer answer;
        struct sessionknn_scratch *s = NULL;
        make(&m, seed);
        plain_index(&m, &plain);
        assert_int_equal(sessionknn_build(&m.rows, NULL, &k, NULL), 0);
        assert_int_equal(sessionknn_scratch_reserve(&s, &k, NULL), 0);
        for (uint32_t a = 0; a < ITEMS; a++) {
            uint32_t context[] = {a, (a * 7 + 3) % ITEMS}, spoke = 0;
            uint32_t holders[ITEMS] = {0};
            sessionknn_ask(&k, context, 2, s, &answer);
            for (uint32_t r = 0; r < plain.count; r++) {
                bool speaks = row_has(&plain, r, context[0]) || row_has(&plain, r, context[1]);
                spoke += speaks;
                for (uint32_t i = 0; i < ITEMS && speaks; i++)
                    holders[i] += row_has(&plain, r, i);
            }
            assert_int_equal(answer.neighbours, spoke);
            sessionknn_holders(&k, s, all, ITEMS, got);
            assert_memory_equal(got, holders, sizeof got);
            sessionknn_holders(&k, s, &a, 1, got); /* in any number and order */
            assert_int_equal(got[0], holders[a]);
            sessionknn_holders(&k, s, NULL, 0, NULL);
        }
        sessionknn_scratch_free(s);
        sessionknn_deinit(&k);
    }
}

/* What was stored, also with flags damaged, answers as what was built; the newest sessions are
 * kept; one scratch serves indices of different sizes. */
static void stored_sessions_answer_as_before(void **state)
{
    struct made m, other;
    struct sessionknn built, stored = {0}, small;
    struct sessionknn_answer a, b;
    struct sessionknn_scratch *one = NULL, *two = NULL;
    const struct sessionknn_params few = {.max_events = 60};
    (void)state;
    make(&m, 7);
    make(&other, 8);
    assert_int_equal(sessionknn_build(&m.rows, NULL, &built, NULL), 0);
    assert_int_equal(sessionknn_build(&other.rows, &few, &small, NULL), 0);
    assert_in_range(small.start[small.session_count], 60 - LONGEST, 60);
    uint64_t events = built.start[built.session_count];
    stored.session_count = built.session_count;
    stored.item_count = built.item_count;
    stored.start = calloc(built.session_count + 1, sizeof *stored.start);
    stored.item = calloc(events, sizeof *stored.item);
    assert_true(stored.start && stored.item);
    memcpy(stored.start, built.start, (built.session_count + 1) * sizeof *stored.start);
    for (uint64_t x = 0; x < events; x++)
        stored.item[x] = built.item[x] ^ (x % 3 ? 0 : SESSIONKNN_AGAIN);
    assert_int_equal(sessionknn_index(&stored, NULL), 0);
    assert_memory_equal(stored.item, built.item, events * sizeof *stored.item);
    assert_int_equal(sessionknn_scratch_reserve(&two, &built, NULL), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t context[] = {(i + 5) % ITEMS, i};
        assert_int_equal(sessionknn_scratch_reserve(&one, i % 2 ? &stored : &small, NULL), 0);
        sessionknn_ask(i % 2 ? &stored : &small, context, 2, one, &a);
        if (i % 2 == 0)
            continue;
        sessionknn_ask(&built, context, 2, two, &b);
        assert_int_equal(a.count, b.count);
        assert_true(a.most == b.most);
        assert_memory_equal(a.score, b.score, ITEMS * sizeof *a.score);
    }
    sessionknn_scratch_free(one);
    sessionknn_scratch_free(two);
    sessionknn_deinit(&built);
    sessionknn_deinit(&stored);
    sessionknn_deinit(&small);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    static struct made m;
    make(&m, 1);
    static const struct sessionknn_params bad[] = {
        {.form = (enum sessionknn_form)7}, {.l1 = -1}, {.l2 = NAN}, {.l3 = INFINITY}};
    for (size_t x = 0; x < sizeof bad / sizeof *bad; x++) {
        struct sessionknn k;
        struct error err = ERROR_INIT;
        assert_int_equal(sessionknn_build(&m.rows, &bad[x], &k, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "session neighbours: "));
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static struct made m;
    make(&m, 2);
    OOM_LOOP
    {
        struct sessionknn k;
        struct error err = ERROR_INIT;
        int rc = sessionknn_build(&m.rows, NULL, &k, &err);
        if (rc == 0) {
            assert_true(sessionknn_bytes(&k) <=
                        sessionknn_estimate_bytes(m.start[SESSIONS], ITEMS) + 64);
            struct sessionknn_scratch *s = sessionknn_scratch_new(&k, &err);
            rc = s ? 0 : (int)err.code;
            sessionknn_scratch_free(s);
            sessionknn_deinit(&k);
        }
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_equal_the_plain_way),
        cmocka_unit_test(the_next_item_of_the_only_visit_alike_comes_first),
        cmocka_unit_test(no_sessions_answer_nothing),
        cmocka_unit_test(asking_allocates_nothing),
        cmocka_unit_test(a_row_is_the_answer_to_one_item),
        cmocka_unit_test(holders_are_the_sessions_that_spoke_and_have_it),
        cmocka_unit_test(stored_sessions_answer_as_before),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
