#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "service/evaldata.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <stdio.h>
#include <string.h>

static struct tempdir directory;
static char path[160];

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static struct evaldata read_text(const char *text, struct evaldata_request request)
{
    struct evaldata d;
    struct error err = ERROR_INIT;
    write_file(text);
    request.path = path;
    if (evaldata_read(&request, &d, &err))
        fail_msg("%s", err.text);
    return d;
}

static void assert_refused(const char *text, struct evaldata_request request, const char *part)
{
    struct evaldata d;
    struct error err = ERROR_INIT;
    write_file(text);
    request.path = path;
    assert_int_equal(evaldata_read(&request, &d, &err), ERR_INVALID);
    if (!strstr(err.text, part))
        fail_msg("'%s' has no '%s'", err.text, part);
}

/* "time user: a b" of each order, by item id. */
static void assert_orders(const struct evaldata *d, const char *wanted)
{
    char text[1024];
    size_t at = 0;
    const struct dataset *o = &d->orders;
    text[0] = '\0';
    for (uint32_t b = 0; b < o->basket_count; b++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", b ? ", " : "",
                               (long long)o->time_ms[b]);
        if (o->user[b] != DATASET_NO_USER)
            at += (size_t)snprintf(text + at, sizeof text - at, " %u", o->user[b]);
        at += (size_t)snprintf(text + at, sizeof text - at, ":");
        for (uint64_t x = o->baskets.start[b]; x < o->baskets.start[b + 1]; x++) {
            struct str name = dict_name(&d->names, d->name[o->baskets.column[x]]);
            at += (size_t)snprintf(text + at, sizeof text - at, " %.*s", STR_ARG(name));
        }
    }
    assert_string_equal(text, wanted);
}

static const struct evaldata_request sequences = {.format = FORMAT_SEQUENCES};

static void sequences_are_a_shopper_a_line(void **state)
{
    (void)state;
    struct evaldata d = read_text("u1 b a\tb\r\n\n 7 c\nempty\n", sequences);
    assert_orders(&d, "0 0: b, 0 1: c, 1 0: a, 2 0: b");
    assert_false(d.timed);
    assert_int_equal(d.orders.item_count, 3);
    assert_memory_equal(d.id_rank, ((uint32_t[]){1, 0, 2}), 3 * sizeof(uint32_t));
    evaldata_deinit(&d);
}

static void bad_sequences_name_the_line(void **state)
{
    (void)state;
    assert_refused("u a\nu b\n", sequences, "line 2: shopper 'u' has a line already");
    assert_refused("u a\n\nv a\1b\n", sequences, "line 3: item 1 ");
}

static void baskets_have_the_order_of_the_file(void **state)
{
    (void)state;
    struct evaldata d = read_text("1 2 2\n3\n", (struct evaldata_request){.format = FORMAT_FIMI});
    assert_orders(&d, "0: 1 2, 1: 3");
    assert_false(d.timed);
    evaldata_deinit(&d);
}

static const char csv[] = "order_id,user_id,timestamp,item_id,price\n"
                          "2,u,1970-01-01T00:00:02Z,10a,1.5\n"
                          "1,v,1970-01-01T00:00:01Z,10b,0\n"
                          "2,u,1970-01-01T00:00:02Z,post,2\n"
                          "3,,1970-01-01T00:00:03Z,20,3\n"
                          "4,u,someday,20,3\n";

static void csv_has_times_and_shoppers(void **state)
{
    (void)state;
    struct evaldata d = read_text(csv, (struct evaldata_request){0});
    assert_orders(&d, "1000 0: 10b, 2000 1: 10a post, 3000: 20");
    assert_true(d.timed);
    assert_int_equal(d.format, FORMAT_CSV);
    assert_int_equal(d.rejected, 1);
    assert_non_null(strstr(d.first_problem, "someday"));
    evaldata_deinit(&d);
}

static void items_and_prices_can_be_chosen(void **state)
{
    (void)state;
    struct evaldata d = read_text(csv, (struct evaldata_request){.include_items = "^[0-9]{2}"});
    assert_orders(&d, "1000 0: 10b, 2000 1: 10a, 3000: 20");
    evaldata_deinit(&d);
    d = read_text(csv, (struct evaldata_request){.priced = true});
    assert_orders(&d, "2000 0: 10a post, 3000: 20");
    evaldata_deinit(&d);
}

static void later_records_replace_and_cancel(void **state)
{
    (void)state;
    struct evaldata d =
        read_text("{\"order_id\":\"1\",\"timestamp\":1,\"items\":[{\"item_id\":\"a\"}]}\n"
                  "{\"order_id\":\"2\",\"timestamp\":2,\"items\":[{\"item_id\":\"b\"}]}\n"
                  "{\"order_id\":\"1\",\"timestamp\":3,\"items\":[{\"item_id\":\"c\"}]}\n"
                  "{\"kind\":\"cancel\",\"order_id\":\"2\"}\n",
                  (struct evaldata_request){0});
    assert_orders(&d, "3000: c");
    evaldata_deinit(&d);
}

static void times_are_for_all_or_for_none(void **state)
{
    (void)state;
    assert_refused("{\"order_id\":\"1\",\"timestamp\":1,\"items\":[{\"item_id\":\"a\"}]}\n"
                   "{\"order_id\":\"2\",\"items\":[{\"item_id\":\"b\"}]}\n",
                   (struct evaldata_request){0}, "1 orders have a time and 1 have none");
    struct evaldata d = read_text("order_id,item_id\n7,a\n5,b\n", (struct evaldata_request){0});
    assert_false(d.timed);
    assert_int_equal(d.orders.basket_count, 2);
    evaldata_deinit(&d);
}

static void a_line_can_be_a_session_later_than_those_before(void **state)
{
    (void)state;
    const struct evaldata_request by_line = {.format = FORMAT_SEQUENCES, .by_line = true};
    struct evaldata d = read_text("s b a\nt c b\n", by_line);
    assert_orders(&d, "1 0: b, 1 0: a, 2 1: c, 2 1: b");
    evaldata_deinit(&d);
}

static const char visits[] =
    "{\"event\":\"view\",\"item_id\":\"a\",\"session_id\":\"s\",\"timestamp\":1}\n"
    "{\"event\":\"view\",\"item_id\":\"b\",\"user_id\":\"u\",\"timestamp\":2}\n"
    "{\"event\":\"uncart\",\"item_id\":\"c\",\"session_id\":\"s\",\"timestamp\":3}\n"
    "{\"event\":\"cart\",\"item_id\":\"c\",\"session_id\":\"s\",\"timestamp\":4}\n"
    "{\"event\":\"view\",\"item_id\":\"a\",\"user_id\":\"u\",\"timestamp\":4000}\n"
    "{\"order_id\":\"1\",\"timestamp\":5,\"items\":[{\"item_id\":\"z\"}]}\n";

static void events_are_orders_of_their_sessions(void **state)
{
    (void)state;
    struct shopkit kit;
    struct evaldata d = read_text(visits, (struct evaldata_request){.sessions = true});
    assert_orders(&d, "1000 0: a, 2000 1: b, 4000 0: c, 4000000 2: a");
    assert_true(d.timed);
    evaldata_deinit(&d);
    d = read_text(visits, (struct evaldata_request){0});
    assert_orders(&d, "5000: z");
    evaldata_deinit(&d);
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(shopkit_ingest(&kit, visits, NULL), 0);
    const struct evaldata_request request = {.data = kit.settings.data, .sessions = true};
    assert_int_equal(evaldata_read(&request, &d, NULL), 0);
    assert_orders(&d, "1000 0: a, 2000 1: b, 4000 0: c, 4000000 2: a");
    evaldata_deinit(&d);
    shopkit_close(&kit);
}

static void without_events_orders_are_the_sessions(void **state)
{
    (void)state;
    struct evaldata d = read_text(csv, (struct evaldata_request){.sessions = true});
    assert_orders(&d, "1000 0: 10b, 2000 1: 10a post, 3000: 20");
    evaldata_deinit(&d);
}

static void the_hash_is_of_the_contents(void **state)
{
    (void)state;
    struct evaldata a = read_text("u a b\n", sequences), b = read_text("u\ta  b", sequences);
    struct evaldata c = read_text("u a c\n", sequences), e = read_text("u b a\n", sequences);
    assert_true(a.hash == b.hash);
    assert_true(a.hash != c.hash && a.hash != e.hash);
    evaldata_deinit(&a);
    evaldata_deinit(&b);
    evaldata_deinit(&c);
    evaldata_deinit(&e);
}

static void the_store_gives_its_orders(void **state)
{
    (void)state;
    struct shopkit kit;
    struct evaldata d;
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(
        shopkit_ingest(&kit,
                       "{\"kind\":\"item\",\"item_id\":\"z\",\"title\":\"never sold\"}\n"
                       "{\"order_id\":\"1\",\"timestamp\":\"1970-01-01T00:00:02Z\",\"user_id\":"
                       "\"u\",\"items\":[{\"item_id\":\"b\",\"price\":1},{\"item_id\":\"a\"}]}\n"
                       "{\"order_id\":\"2\",\"timestamp\":\"1970-01-01T00:00:01Z\",\"items\":"
                       "[{\"item_id\":\"c\"}]}\n",
                       NULL),
        0);
    struct evaldata_request request = {.data = kit.settings.data};
    assert_int_equal(evaldata_read(&request, &d, NULL), 0);
    assert_orders(&d, "1000: c, 2000 0: b a");
    assert_true(d.timed);
    assert_memory_equal(d.id_rank, ((uint32_t[]){1, 0, 2}), 3 * sizeof(uint32_t));
    evaldata_deinit(&d);
    request.priced = true;
    assert_int_equal(evaldata_read(&request, &d, NULL), 0);
    assert_orders(&d, "2000 0: b");
    evaldata_deinit(&d);
    shopkit_close(&kit);
}

/* Of characters that mean something, and of any. */
static void random_bytes_are_read_or_refused(void **state)
{
    (void)state;
    static const char telling[] = "ab 12\t\r\n\n,;{}[]\":";
    struct rng rng;
    rng_seed(&rng, 6);
    for (int round = 0; round < 400; round++) {
        char text[200];
        size_t length = rng_below(&rng, sizeof text - 1);
        for (size_t i = 0; i < length; i++)
            text[i] = round % 4 ? telling[rng_below(&rng, sizeof telling - 1)]
                                : (char)(1 + rng_below(&rng, 255));
        text[length] = '\0';
        write_file(text);
        for (int r = 0; r < 2; r++) {
            const struct evaldata_request request = {.path = path,
                                                     .format = r ? FORMAT_AUTO : FORMAT_SEQUENCES};
            struct evaldata d = {0};
            struct error err = ERROR_INIT;
            int rc = evaldata_read(&request, &d, &err);
            assert_true(rc == 0 || (rc == ERR_INVALID && err.text[0]));
            evaldata_deinit(&d);
        }
    }
}

static void a_missing_store_says_what_to_do(void **state)
{
    (void)state;
    struct evaldata d;
    struct error err = ERROR_INIT;
    const struct evaldata_request request = {.data = directory.path};
    assert_int_equal(evaldata_read(&request, &d, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "import"));
}

static void reading_survives_every_failed_allocation(void **state)
{
    (void)state;
    const struct evaldata_request requests[] = {{.path = path, .format = FORMAT_SEQUENCES},
                                                {.path = path, .format = FORMAT_FIMI},
                                                {.path = path, .sessions = true}};
    for (int r = 0; r < 3; r++) {
        write_file(r < 2 ? "1 10 11 12\n2 11\n" : visits);
        OOM_LOOP
        {
            struct evaldata d = {0};
            int rc = evaldata_read(&requests[r], &d, NULL);
            assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
            evaldata_deinit(&d);
        }
    }
}

static int open_directory(void **state)
{
    (void)state;
    tempdir_open(&directory);
    snprintf(path, sizeof path, "%s", tempdir_file(&directory, "orders"));
    return 0;
}

static int close_directory(void **state)
{
    (void)state;
    tempdir_close(&directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_a_shopper_a_line),
        cmocka_unit_test(bad_sequences_name_the_line),
        cmocka_unit_test(baskets_have_the_order_of_the_file),
        cmocka_unit_test(csv_has_times_and_shoppers),
        cmocka_unit_test(items_and_prices_can_be_chosen),
        cmocka_unit_test(later_records_replace_and_cancel),
        cmocka_unit_test(times_are_for_all_or_for_none),
        cmocka_unit_test(a_line_can_be_a_session_later_than_those_before),
        cmocka_unit_test(events_are_orders_of_their_sessions),
        cmocka_unit_test(without_events_orders_are_the_sessions),
        cmocka_unit_test(the_hash_is_of_the_contents),
        cmocka_unit_test(the_store_gives_its_orders),
        cmocka_unit_test(random_bytes_are_read_or_refused),
        cmocka_unit_test(a_missing_store_says_what_to_do),
        cmocka_unit_test(reading_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, open_directory, close_directory);
}
