/* basketd serve. */
#include "cli.h"
#include "http/server.h"

int cmd_serve(struct settings *settings, int argc, char **argv)
{
    struct error err = ERROR_INIT;
    if (!cli_options(NULL, 0, &argc, argv))
        return EXIT_USAGE;
    if (argc > 1)
        return cli_usage("serve takes no '%s'", argv[1]);
    struct shop *shop = shop_open(settings, SHOP_SERVE, &err);
    int rc = shop ? http_serve(shop, &err) : (int)err.code;
    shop_close(shop);
    return rc ? cli_fail(&err) : 0;
}
