/* basketd models, key, backup, config, version: small questions and changes. */
#include "base/version.h"
#include "cli.h"
#include "service/access.h"
#include "service/trainer.h"

#include <stdio.h>
#include <string.h>

int cmd_models(struct settings *settings, int argc, char **argv)
{
    bool json = false;
    const struct cli_option options[] = {{.name = "json", .given = &json}};
    struct error err = ERROR_INIT;
    struct models_op op;
    uint64_t id = 0;
    if (!cli_options(options, 1, &argc, argv) ||
        !cli_number("ID", argc > 1 ? argv[1] : NULL, 1, INT64_MAX, &id))
        return EXIT_USAGE;
    struct shop *shop = shop_open(settings, SHOP_COMMAND, &err);
    if (!shop)
        return cli_fail(&err);
    models_show_prepare(&op, (int64_t)id, NULL);
    int status;
    if (shop_read_wait(shop, &op.op, &err) != 0) {
        status = cli_fail(&err);
        buf_deinit(&op.json);
    } else {
        buf_char(&op.json, '\n');
        status = cli_print(&op.json);
    }
    shop_close(shop);
    return status;
}

static int key_add(struct shop *shop, const char *scopes_text, const char *label, struct error *err)
{
    unsigned scopes;
    char key[ACCESS_KEY_BYTES];
    if (!access_scopes_parse(str_of(scopes_text), &scopes))
        return cli_usage("--scopes: expected a list of read, ingest, admin, metrics, got '%s'",
                         scopes_text);
    if (access_add(shop, scopes, str_of(label), key, err) != 0)
        return cli_fail(err);
    printf("%s\n", key);
    fputs("Keep it: it is shown only now.\n", stderr);
    return 0;
}

static int key_list(struct shop *shop, bool json, struct error *err)
{
    struct buf out;
    buf_init(&out, 0);
    if (access_list(shop, &out, json, err) == 0)
        return cli_print(&out);
    buf_deinit(&out);
    return cli_fail(err);
}

int cmd_key(struct settings *settings, int argc, char **argv)
{
    const char *scopes = NULL, *label = "";
    bool json = false;
    const struct cli_option options[] = {{.name = "scopes", .text = &scopes},
                                         {.name = "label", .text = &label},
                                         {.name = "json", .given = &json}};
    struct error err = ERROR_INIT;
    if (!cli_options(options, 3, &argc, argv))
        return EXIT_USAGE;
    const char *what = argc > 1 ? argv[1] : "";
    bool add = strcmp(what, "add") == 0, list = strcmp(what, "list") == 0,
         revoke = strcmp(what, "revoke") == 0;
    if ((add && argc != 2) || (list && argc != 2) || (revoke && argc != 3) ||
        !(add || list || revoke))
        return cli_usage("usage: basketd key add --scopes LIST [--label TEXT] | list | revoke ID");
    if (add && !scopes)
        return cli_usage("key add: --scopes is missing, for example --scopes read,ingest");
    struct shop *shop = shop_open(settings, SHOP_COMMAND, &err);
    if (!shop)
        return cli_fail(&err);
    int status = add ? key_add(shop, scopes, label, &err) : list ? key_list(shop, json, &err) : 0;
    if (revoke && access_revoke(shop, str_of(argv[2]), &err) != 0)
        status = cli_fail(&err);
    shop_close(shop);
    return status;
}

int cmd_backup(struct settings *settings, int argc, char **argv)
{
    struct error err = ERROR_INIT;
    if (!cli_options(NULL, 0, &argc, argv))
        return EXIT_USAGE;
    if (argc != 2)
        return cli_usage("backup: name one file to write to");
    return shop_backup(settings, argv[1], &err) ? cli_fail(&err) : 0;
}

int cmd_config(struct settings *settings, int argc, char **argv)
{
    bool json = false, markdown = false;
    const struct cli_option options[] = {{.name = "json", .given = &json},
                                         {.name = "markdown", .given = &markdown}};
    struct buf out;
    if (!cli_options(options, 2, &argc, argv))
        return EXIT_USAGE;
    buf_init(&out, 0);
    if (markdown)
        settings_markdown(&out);
    else
        settings_print(settings, &out, json);
    return cli_print(&out);
}

int cmd_version(struct settings *settings, int argc, char **argv)
{
    (void)settings;
    (void)argc;
    (void)argv;
    printf("basketd %s (%s)\n", basketd_version(), basketd_commit());
    return 0;
}
