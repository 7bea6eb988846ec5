#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "eval/report.h"
#include "support/madeorders.h"
#include "support/near.h"
#include "support/oom.h"

#include <stdlib.h>
#include <string.h>

static struct dataset shop(void)
{
    const struct made_params made = {.orders = 400, .items = 30, .shoppers = 20, .largest = 5};
    return made_orders(&made, 5);
}

struct bench {
    struct dataset d;
    const struct entrant *entrants[8];
    struct evaluation_params params;
    struct evaluation *e;
};

static struct bench begin(uint32_t k)
{
    static const char *const names[] = {"popularity", "frequency", "cosine", "llr"};
    struct bench b = {.d = shop(), .e = malloc(sizeof(struct evaluation))};
    b.params = (struct evaluation_params){
        .split = {.test_share = .3, .seed = 1}, .k = k, .resamples = 100, .threads = 1};
    for (uint32_t i = 0; i < 4; i++)
        b.entrants[i] = entrant_find(str_of(names[i]));
    b.params.entrant_count = 4;
    return b;
}

static void run(struct bench *b)
{
    struct error err = ERROR_INIT;
    b->params.entrants = b->entrants;
    if (evaluation_run(&b->d, &b->params, b->e, &err))
        fail_msg("%s", err.text);
}

static void end(struct bench *b)
{
    free(b->e);
    dataset_deinit(&b->d);
}

static void cut_offs_are_the_usual_ones_and_k(void **state)
{
    (void)state;
    static const struct {
        uint32_t k, count, all[4];
    } CASES[] = {{0, 3, {5, 10, 20}},    {5, 3, {5, 10, 20}},      {3, 4, {3, 5, 10, 20}},
                 {7, 4, {5, 7, 10, 20}}, {25, 4, {5, 10, 20, 25}}, {20, 3, {5, 10, 20}}};
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        struct bench b = begin(CASES[c].k);
        run(&b);
        assert_int_equal(b.e->cutoff_count, CASES[c].count);
        assert_memory_equal(b.e->cutoffs, CASES[c].all, CASES[c].count * sizeof(uint32_t));
        assert_int_equal(b.e->k, CASES[c].k ? CASES[c].k : 10);
        end(&b);
    }
}

static void models_are_compared_with_the_best_baseline_or_the_one_asked_for(void **state)
{
    (void)state;
    struct bench b = begin(0);
    run(&b);
    for (uint32_t m = 0; m < 4; m++)
        assert_true(b.e->models[m].quality[QUALITY_NDCG][1] <=
                    b.e->models[b.e->against].quality[QUALITY_NDCG][1]);
    b.params.against = b.entrants[2];
    run(&b);
    assert_int_equal(b.e->against, 2);
    for (uint32_t m = 0; m < 4; m++) {
        const struct model_result *model = &b.e->models[m];
        const struct interval *d = &model->difference[TESTED_NDCG];
        assert_near(d->value,
                    model->quality[QUALITY_NDCG][1] - b.e->models[2].quality[QUALITY_NDCG][1],
                    1e-12);
        assert_true(d->low <= d->value && d->value <= d->high);
        assert_true(model->adjusted_p[TESTED_NDCG] >= d->p);
        assert_near(model->segments[SEGMENT_ALL].value[TESTED_NDCG],
                    model->quality[QUALITY_NDCG][1], 1e-12);
    }
    end(&b);
}

static void an_entrant_that_does_not_suit_the_data_is_refused(void **state)
{
    (void)state;
    struct bench b = begin(0);
    struct error err = ERROR_INIT;
    b.entrants[1] = entrant_find(STR("popularity-7d"));
    b.params.entrants = b.entrants;
    assert_int_equal(evaluation_run(&b.d, &b.params, b.e, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "popularity-7d needs orders with times"));
    end(&b);
}

static const struct report_input input = {.source = "a <b> & \"c\"", .format = "csv", .hash = 11};

static void the_json_holds_what_was_measured(void **state)
{
    (void)state;
    struct bench b = begin(7);
    struct buf out;
    run(&b);
    buf_init(&out, 0);
    report_json(&b.e[0], &b.params, &input, &out);
    json_t *root = json_loadb(out.ptr, out.len, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "data"), "source")),
                        input.source);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "data"), "hash")),
                        "000000000000000b");
    json_t *cosine = json_object_get(json_object_get(root, "models"), "cosine");
    assert_near(json_real_value(json_object_get(json_object_get(cosine, "metrics"), "ndcg@7")),
                b.e->models[2].quality[QUALITY_NDCG][1], 1e-8);
    assert_true(json_equal(json_object_get(cosine, "metrics"),
                           json_object_get(json_object_get(root, "metrics"), "cosine")));
    assert_null(json_object_get(root, "canaries"));
    json_decref(root);
    buf_deinit(&out);
    end(&b);
}

static void canaries_are_reported(void **state)
{
    (void)state;
    struct bench b = begin(0);
    struct canary_result canaries[CANARY_COUNT];
    struct report_input with = input;
    struct buf out;
    run(&b);
    for (int c = 0; c < CANARY_COUNT; c++)
        assert_int_equal(canary_run(&b.d, &b.params, (enum canary)c, &canaries[c], NULL), 0);
    canaries[1].passed = false;
    canaries[1].models[2].fired = true;
    with.canaries = canaries;
    buf_init(&out, 0);
    report_json(b.e, &b.params, &with, &out);
    json_t *root = json_loadb(out.ptr, out.len, 0, NULL);
    json_t *permuted = json_object_get(json_object_get(root, "canaries"), "permuted_items");
    assert_true(json_is_false(json_object_get(permuted, "passed")));
    assert_true(json_is_true(
        json_object_get(json_object_get(json_object_get(permuted, "models"), "cosine"), "fired")));
    json_decref(root);
    buf_clear(&out);
    report_table(b.e, &b.params, &with, true, &out);
    assert_non_null(strstr(buf_cstr(&out), "permuted_items   FAILED"));
    assert_non_null(strstr(buf_cstr(&out), "cosine sees what it should not"));
    buf_deinit(&out);
    end(&b);
}

/* As far as text can be looked at: well formed, all bars within the picture, names escaped. */
static void the_chart_has_a_bar_for_each_model_and_quality(void **state)
{
    (void)state;
    struct bench b = begin(0);
    struct buf out;
    run(&b);
    buf_init(&out, 0);
    report_svg(b.e, &b.params, &input, &out);
    const char *text = buf_cstr(&out);
    uint32_t bars = 0;
    for (const char *at = text; (at = strstr(at, "<rect ")); at++) {
        double x, y, width;
        bars++;
        assert_int_equal(
            sscanf(strstr(at, "x="), "x=\"%lf\" y=\"%lf\" width=\"%lf\"", &x, &y, &width), 3);
        assert_true(x > 0 && width >= 0 && x + width < 810);
    }
    assert_int_equal(bars, 8);
    assert_non_null(strstr(text, "a &lt;b> &amp; \"c\""));
    assert_null(strstr(text, "nan"));
    buf_deinit(&out);
    end(&b);
}

static void a_curve_is_one_model_at_each_point(void **state)
{
    (void)state;
    struct bench b = begin(0);
    struct buf out;
    run(&b);
    double plain = b.e->models[2].quality[QUALITY_NDCG][1], tail = b.e->models[2].lists.tail_share;
    for (int c = CURVE_NOVELTY; c < CURVE_COUNT; c++) {
        uint32_t count;
        const struct curve_point *points = curve_points((enum curve)c, &count);
        struct report_input with = input;
        with.model = "cosine";
        b.entrants[0] = entrant_find(STR("cosine"));
        b.params.entrant_count = 1;
        b.params.curve = (enum curve)c;
        run(&b);
        assert_int_equal(b.e->model_count, count);
        assert_int_equal(b.e->against, 0);
        assert_near(b.e->models[0].quality[QUALITY_NDCG][1], plain, 1e-12);
        const struct model_result *last = &b.e->models[count - 1];
        assert_true(c != CURVE_NOVELTY || last->lists.tail_share > tail);
        assert_true(c != CURVE_DIVERSITY || last->lists.diversity > b.e->models[0].lists.diversity);
        assert_near(points[count - 1].value, 1, 0);
        buf_init(&out, 0);
        report_json(b.e, &b.params, &with, &out);
        json_t *root = json_loadb(out.ptr, out.len, 0, NULL);
        json_t *asked = json_object_get(root, "configuration");
        assert_string_equal(json_string_value(json_object_get(asked, "model")), "cosine");
        assert_int_equal(curve_parse(str_of(json_string_value(json_object_get(asked, "curve")))),
                         c);
        assert_int_equal(json_object_size(json_object_get(root, "metrics")), count);
        json_decref(root);
        buf_clear(&out);
        report_curve_svg(b.e, &b.params, &with, &out);
        assert_non_null(strstr(buf_cstr(&out), "tail share"));
        assert_null(strstr(out.ptr, "nan"));
        buf_deinit(&out);
    }
    end(&b);
}

static void evaluating_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct bench b = begin(0);
    b.params.entrants = b.entrants;
    OOM_LOOP
    {
        struct buf out;
        int rc = evaluation_run(&b.d, &b.params, b.e, NULL);
        buf_init(&out, 0);
        if (rc == 0) {
            report_json(b.e, &b.params, &input, &out);
            report_table(b.e, &b.params, &input, true, &out);
            report_svg(b.e, &b.params, &input, &out);
        }
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired())); /* giving back may fail */
        assert_true(!out.failed || oom_fired());
        buf_deinit(&out);
    }
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_offs_are_the_usual_ones_and_k),
        cmocka_unit_test(models_are_compared_with_the_best_baseline_or_the_one_asked_for),
        cmocka_unit_test(an_entrant_that_does_not_suit_the_data_is_refused),
        cmocka_unit_test(the_json_holds_what_was_measured),
        cmocka_unit_test(canaries_are_reported),
        cmocka_unit_test(the_chart_has_a_bar_for_each_model_and_quality),
        cmocka_unit_test(a_curve_is_one_model_at_each_point),
        cmocka_unit_test(evaluating_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
