/* basketd demo: a made-up shop as files to import. */
#include "cli.h"
#include "service/demo.h"

#include <stdio.h>

int cmd_demo(struct settings *settings, int argc, char **argv)
{
    const char *out = "demo", *items_text = NULL, *orders_text = NULL, *seed_text = NULL;
    const struct cli_option options[] = {
        {.name = "out", .text = &out},
        {.name = "items", .text = &items_text},
        {.name = "orders", .text = &orders_text},
        {.name = "seed", .text = &seed_text},
    };
    uint64_t items = 0, orders = 0, seed = 0;
    struct error err = ERROR_INIT;
    struct progress progress;
    (void)settings;
    if (!cli_options(options, 4, &argc, argv) ||
        !cli_number("items", items_text, 50, 10000000, &items) ||
        !cli_number("orders", orders_text, 1, 1000000000, &orders) ||
        !cli_number("seed", seed_text, 0, UINT64_MAX, &seed))
        return EXIT_USAGE;
    if (argc > 1)
        return cli_usage("demo takes no '%s'", argv[1]);
    progress_init(&progress);
    struct demo_params params = {
        .items = (uint32_t)items, .orders = orders, .seed = seed, .progress = &progress};
    struct watch *watch = watch_start(&progress, NULL, &err);
    int rc = watch ? demo_write(out, &params, &err) : (int)err.code;
    watch_stop(watch);
    if (rc)
        return cli_fail(&err);
    printf("%s/items.ndjson\n%s/orders.ndjson\n%s/truth.json\n", out, out, out);
    return 0;
}
