/* The command table, settings, --help and dispatch. */
#include "base/log.h"
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"serve",
     "basketd serve [OPTIONS]",
     "answer requests over HTTP, learn from what is posted",
     "SIGTERM or SIGINT end it: requests in flight are answered, a running training is given up\n"
     "and started again next time.\n",
     {"server", "ingest", "train", NULL},
     cmd_serve,
     false},
    {"import",
     "basketd import [OPTIONS] FILE… | -",
     "read orders, items and events from files or stdin",
     "Formats: NDJSON, a JSON array, CSV with a header, FIMI baskets; gzip and zstd; found out by\n"
     "looking. Sending the same records again changes nothing.\n\n"
     "  --format NAME                    ndjson, json, csv or fimi instead of looking\n"
     "  --map FROM=TO                    CSV: column FROM is our field TO, or =ignore; may repeat\n"
     "  --source NAME                    where a file has no order ids: made from NAME and the "
     "line\n"
     "  --include-items REGEX            only lines of items whose id matches\n"
     "  --exclude-items REGEX            no lines of items whose id matches\n"
     "  --strict                         all or nothing: one bad line and nothing is written\n"
     "  --json                           the report as JSON\n",
     {"ingest", NULL},
     cmd_import,
     false},
    {"train",
     "basketd train [OPTIONS]",
     "build a model from the stored orders and make it live",
     "  --estimate                       print the memory it needs, and stop\n"
     "  --json                           the report as JSON\n",
     {"train", "models", NULL},
     cmd_train,
     false},
    {"tune",
     "basketd tune [OPTIONS]",
     "search for what trainings should start from, and adopt it if it ranks better",
     "Tries menus of learners and their parameters on the stored orders, the best third on ever\n"
     "more of them, and compares the winner with the usual menu on the newest orders. A search\n"
     "that is stopped goes on where it was. DIR/tuned.json has what was adopted, and why.\n\n"
     "  --surface NAME                   basket (default) or personal\n"
     "  --budget TIME                    no try begins later (10m)\n"
     "  --tries N                        menus to begin with (27)\n"
     "  --seed N                         another search (1)\n"
     "  --json                           what came of it as JSON\n",
     {"train", NULL},
     cmd_tune,
     false},
    {"recommend",
     "basketd recommend [OPTIONS] [ITEM…]",
     "what goes with these items?",
     "  --surface NAME                   basket (default), similar, session, trending or popular\n"
     "  --limit N                        suggestions (default 10)\n",
     {NULL},
     cmd_recommend,
     false},
    {"rules",
     "basketd rules [OPTIONS] [ITEM…]",
     "the rules behind the answers, of these items or all",
     "  --limit N                        rules (default 20)\n"
     "  --sort KEY                       lift (default), confidence, confidence_low, support,\n"
     "                                   count, leverage, conviction, improvement, q\n",
     {NULL},
     cmd_rules,
     false},
    {"mine",
     "basketd mine [OPTIONS] FILE | -",
     "itemsets or rules of a file of baskets, without a data directory",
     "Input: FIMI text (one basket a line, items parted by blanks; an empty line is an empty\n"
     "basket), or orders as NDJSON, JSON or CSV with a header; gzip, zstd; found out by looking.\n"
     "Items are whole numbers, or names when one of them is not.\n\n"
     "  --support N | P%                 baskets a set needs: 88, or 0.1% of all (default 1%)\n"
     "  --target NAME                    all (default), closed, maximal or rules\n"
     "  --min-length N, --max-length N   items in a set (default 1, no limit)\n"
     "  --with ITEM, --without ITEM      only what holds it; leave it out; may repeat\n"
     "  --item-groups FILE               lines `item TAB group`: groups count as items of their\n"
     "                                   baskets, never together with their own; may nest\n"
     "  --sorted                         items of a set ascending, not as they were found; slower\n"
     "  --count                          print only how many there are\n"
     "  --top K                          only the K best, best first\n"
     "  --by MEASURE                     what --top ranks by: of sets support (default), "
     "leverage,\n"
     "                                   lift, all_confidence; of rules any measure below\n"
     "                                   (default lift). Some need --support\n"
     "  --max-itemsets N                 keep the N most frequent: raises the support\n"
     "  --memory-limit SIZE              keep those that fit, such as 64MiB\n\n"
     "Rules:\n"
     "  --confidence C                   least confidence, 20% or .2 (default 10%)\n"
     "  --lift L                         least lift (default any)\n"
     "  --max-p P, --max-q Q             most of Fisher's p and of the false discovery rate\n"
     "  --productive                     only rules each of whose items earns its place\n"
     "  --antecedents N, --consequents N most items on the left (any), on the right (1)\n"
     "  --antecedent-only ITEM, --consequent-only ITEM   may repeat\n"
     "  --measures LIST                  columns of tsv and ndjson, or all: support, confidence,\n"
     "                                   lift, leverage, conviction, cosine, jaccard, kulczynski,\n"
     "                                   imbalance, chi_squared, odds_ratio, certainty, zhang,\n"
     "                                   added_value, hyper_lift, hyper_confidence, fisher_p,\n"
     "                                   confidence_low, q, improvement, improvement_p,\n"
     "                                   productive\n"
     "  --adjust size                    odds ratio among baskets of like size (Mantel-Haenszel),\n"
     "                                   with its 95 % interval, as columns of tsv and ndjson\n\n"
     "One part of many (see `basketd help shard`):\n"
     "  --groups Q --group g             of a whole file only sets whose largest rank is in group\n"
     "                                   g = rank modulo Q\n"
     "  --flist FILE [--group g]         the input is shards, sorted; only group g\n\n"
     "Files:\n"
     "  --output FILE                    instead of standard output\n"
     "  --output-format NAME             fimi (default, for records tsv), tsv or ndjson\n"
     "  --format NAME                    of the input: fimi, csv, ndjson or json\n"
     "  --threads N                      default: one per core; the output does not depend on it\n"
     "  --stats                          what was read and found, how fast, to standard error\n",
     {NULL},
     cmd_mine,
     true},
    {"shard",
     "basketd shard --support N|P% --shards Q --flist FILE [OPTIONS] FILE | -",
     "cut baskets into shards that mine one by one, on many machines",
     "Writes the frequent items by rank to --flist, and lines `group TAB ranks` to standard\n"
     "output. Sorted, each group's lines mine by themselves; the results together are exactly\n"
     "those of the whole:\n\n"
     "  basketd shard --support 0.1% --shards 8 --flist f retail.dat | LC_ALL=C sort |\n"
     "    basketd mine --flist f -\n\n"
     "  --support N | P%                 as of basketd mine\n"
     "  --shards Q                       groups: rank modulo Q; 4 to 8 for each task at a time\n"
     "  --flist FILE                     the F-list to write\n"
     "  --output FILE, --format NAME, --threads N, --stats   as of basketd mine\n",
     {NULL},
     cmd_shard,
     true},
    {"evaluate",
     "basketd evaluate [OPTIONS] [FILE | -]",
     "how well do models suggest, on orders they have not seen?",
     "Learns from the older orders and asks about the newer ones: of the data directory, or of a\n"
     "FILE, for trying out without one. Every item of the training is ranked for every "
     "question.\n\n"
     "Input:\n"
     "  --format NAME                    of the file: csv, ndjson, json, fimi, found out by\n"
     "                                   looking; or sequences, lines `shopper item item …`,\n"
     "                                   oldest first. gzip and zstd too\n"
     "  --map FROM=TO                    CSV: column FROM is our field TO, or =ignore; may repeat\n"
     "  --items REGEX                    only items whose id matches\n"
     "  --priced                         only order lines with a price above 0\n\n"
     "What is asked:\n"
     "  --protocol NAME                  time (default): the newest orders ask, older ones teach;\n"
     "                                   leave-last-out (of sequences the default): each "
     "shopper's\n"
     "                                   last order asks, the last but one is for validation;\n"
     "                                   leave-one-out: the newest baskets ask for some of their\n"
     "                                   items. The last two to compare with papers\n"
     "  --surface NAME                   basket: the rest of a basket; personal: what a shopper\n"
     "                                   buys next that is new to them; rebuy: what again;\n"
     "                                   session: what a visit sees next (events; of sequences, a\n"
     "                                   line is a session, later than those before)\n"
     "  --test-share P, --valid-share P  of the orders, newest first (10 % each; the test of\n"
     "                                   leave-one-out 20 %)\n"
     "  --targets N                      items asked for of a basket, one at a time (3)\n"
     "  --context-max N                  give at most N other items of a basket, by chance\n"
     "  --anonymous                      basket: the shopper's earlier orders are not known\n"
     "  --bought                         personal: what was bought before may be asked for too\n"
     "  --refit                          leave-last-out: learn from the validation's orders too\n"
     "  --questions N                    about this many, by chance (100000; 0: all)\n"
     "  --seed N                         of everything by chance (1)\n\n"
     "What is measured:\n"
     "  --models LIST                    beside the baselines, which are always shown (all)\n"
     "  --learner MATRIX/NAME[:P=X]...   one learner of the recipe alone, with parameters, as in\n"
     "                                   shoppers/ridge:lambda=50:neighbours=100; may repeat.\n"
     "                                   GET /models/{id} shows those of a model\n"
     "  --curve KNOB                     one model (blend) at ten values of a knob of /recommend:\n"
     "                                   novelty or diversity\n"
     "  --neighbours N                   entries of a row of the blend (train.neighbours, 200)\n"
     "  --k N                            length of the lists (10); 5, 10 and 20 are measured too\n"
     "  --against MODEL                  what the others are compared with (the best baseline)\n"
     "  --resamples N                    of the paired bootstrap over shoppers (1000)\n"
     "  --expected-ties                  expected values over the orders of equal scores; else\n"
     "                                   equal scores go by orders, then item id\n\n"
     "Output:\n"
     "  --segments                       a table by context, shopper and item too\n"
     "  --canaries                       run on data with nothing left to learn too: what still\n"
     "                                   shows a gain there sees the answers\n"
     "  --json                           all of it as JSON\n"
     "  --output FILE                    instead of standard output\n"
     "  --svg FILE                       a chart too\n"
     "  --threads N                      default: one per core\n",
     {NULL},
     cmd_evaluate,
     false},
    {"models",
     "basketd models [ID]",
     "the stored models, or all about one",
     "  --json\n",
     {NULL},
     cmd_models,
     false},
    {"key",
     "basketd key add --scopes LIST [--label TEXT] | list | revoke ID",
     "API keys: scopes read, ingest, admin, metrics",
     "A new key is printed once and kept only as a hash. With the first key the server asks every\n"
     "client for one.\n",
     {NULL},
     cmd_key,
     false},
    {"backup",
     "basketd backup FILE",
     "consistent copy of the data, also while a server runs",
     "Writes orders to FILE and models to FILE.models. To restore, name them orders.db and\n"
     "models.db in an empty data directory.\n",
     {NULL},
     cmd_backup,
     false},
    {"demo",
     "basketd demo [OPTIONS]",
     "write a made-up shop: items and a year of orders",
     "  --out DIR                        where to (default ./demo)\n"
     "  --items N                        items (default 500)\n"
     "  --orders N                       orders (default 20000)\n"
     "  --seed N                         another shop (default 1)\n",
     {NULL},
     cmd_demo,
     false},
    {"config",
     "basketd config",
     "the settings in force and where each comes from",
     "  --json\n  --markdown                       the table of docs/settings.md\n",
     {NULL},
     cmd_config,
     false},
    {"version", "basketd version", "print the version", "", {NULL}, cmd_version, false},
    {"help",
     "basketd help [COMMAND]",
     "this list, or all about a command",
     "",
     {NULL},
     cmd_help,
     false},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int print_overview(FILE *to)
{
    fputs("basketd: what goes with this basket, and why\n\nUsage: basketd COMMAND [OPTIONS]\n\n",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nCommands take --help, and --data DIR (default ./data) and --config FILE.\n"
          "Settings also come from BASKETD_… variables and basketd.conf; `basketd config` shows "
          "them.\n\n"
          "Start:  basketd import orders.csv && basketd train && basketd serve\n",
          to);
    return to == stdout ? 0 : EXIT_USAGE;
}

static int print_help(const struct command *c)
{
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out, "%s\n\n%s.\n\n%s", c->usage, c->summary, c->details);
    for (size_t i = 0; c->sections[i]; i++) {
        buf_printf(&out, "\nSettings [%s]:\n", c->sections[i]);
        settings_help(&out, c->sections[i]);
    }
    buf_printf(&out, "\n%sExit status: 0 ok, 1 failed, 2 usage.\n",
               c->alone ? "" : "All commands: --data DIR, --config FILE. ");
    return cli_print(&out);
}

int cmd_help(struct settings *settings, int argc, char **argv)
{
    (void)settings;
    const struct command *c = argc > 1 ? command_find(argv[1]) : NULL;
    if (argc > 1 && !c)
        return cli_usage("no command '%s'; `basketd help` lists them", argv[1]);
    return c ? print_help(c) : print_overview(stdout);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct error err = ERROR_INIT;
    enum log_level level;
    setlocale(LC_ALL, "C");
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return print_overview(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_overview(stdout);
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(NULL, 1, argv);
    const struct command *command = command_find(argv[1]);
    if (!command)
        return cli_usage("no command '%s'; `basketd help` lists them", argv[1]);
    argc--;
    argv++;
    if (wants_help(argc, argv))
        return print_help(command);
    settings_default(&settings);
    if (!command->alone && settings_load(&settings, &argc, argv, &err) != 0) {
        cli_fail(&err);
        return EXIT_USAGE;
    }
    if (log_level_parse(str_of(settings.log_level), &level))
        log_set_level(level);
    return command->run(&settings, argc, argv);
}
