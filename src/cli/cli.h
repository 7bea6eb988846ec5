/* What the commands share: the table row, option parsing, error ends, the progress line.
 * Exit status: 0 ok, 1 failed, 2 usage. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/progress.h"
#include "service/shop.h"

#include <stdbool.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct command {
    const char *name;
    const char *usage;       /* "basketd import [OPTIONS] FILE…" */
    const char *summary;     /* one line */
    const char *details;     /* further lines of --help, may be "" */
    const char *sections[4]; /* of settings shown by --help; NULL ends */
    /* argv[0] is the command's name; settings flags are taken out already, unless it is `alone`: it
     * has no data directory and no settings but their defaults. */
    int (*run)(struct settings *settings, int argc, char **argv);
    bool alone;
};

/* A command's own option. Exactly one of the targets is set. */
struct cli_option {
    const char *name;  /* without "--" */
    const char **text; /* takes a value; the last one wins */
    bool *given;       /* a switch */
    const char **list; /* takes a value, may repeat: NULL-terminated array of list_max + 1 */
    size_t list_max;
};
/* Takes the options out of argv, leaving argv[0] and the positional words (argc updated). Prints
 * what is wrong and returns false; "--" ends the options. */
bool cli_options(const struct cli_option *options, size_t count, int *argc, char **argv);

int cli_fail(const struct error *err); /* "basketd: …" on stderr; EXIT_FAILED */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2))); /* …; EXIT_USAGE */
/* A whole number in [min, max] from an option's text, NULL: leave *out. Prints and returns false.
 */
bool cli_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out);
/* "20%" or ".2": above 0 and below 1, or 1 too when `whole`; NULL: leave *out. Prints and returns
 * false. */
bool cli_share(const char *option, const char *text, bool whole, double *out);
/* --support: "0.1%" as a share in (0,1], "88" as baskets; the other one is 0. Prints and returns
 * false. */
bool cli_support(const char *text, double *share, uint32_t *baskets);
int cli_print(struct buf *out); /* to stdout, then released; EXIT_FAILED when that fails */

/* Draws "reading 45 % · 1,234,567 rows · 310,000 rows/s · 12 s left" on a terminal's stderr until
 * stopped, and cancels the work at SIGINT or SIGTERM. Nothing is drawn when stderr is no terminal.
 */
struct watch;
struct watch *watch_start(struct progress *progress, const _Atomic uint64_t *rows,
                          struct error *err) WARN_UNUSED;
void watch_stop(struct watch *watch);

int cmd_serve(struct settings *settings, int argc, char **argv);
int cmd_import(struct settings *settings, int argc, char **argv);
int cmd_train(struct settings *settings, int argc, char **argv);
int cmd_tune(struct settings *settings, int argc, char **argv);
int cmd_recommend(struct settings *settings, int argc, char **argv);
int cmd_rules(struct settings *settings, int argc, char **argv);
int cmd_mine(struct settings *settings, int argc, char **argv);
int cmd_shard(struct settings *settings, int argc, char **argv);
int cmd_evaluate(struct settings *settings, int argc, char **argv);
int cmd_models(struct settings *settings, int argc, char **argv);
int cmd_key(struct settings *settings, int argc, char **argv);
int cmd_backup(struct settings *settings, int argc, char **argv);
int cmd_demo(struct settings *settings, int argc, char **argv);
int cmd_config(struct settings *settings, int argc, char **argv);
int cmd_version(struct settings *settings, int argc, char **argv);
int cmd_help(struct settings *settings, int argc, char **argv);

#endif
