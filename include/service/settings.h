/* Settings: one option table gives name, type, range, default, help; from it come flags
 * (--train-interval), environment (BASKETD_TRAIN_INTERVAL), basketd.conf ([train] interval = …),
 * `basketd config` and the table of docs/settings.md. Flags > environment > file > default. Unknown
 * keys, out-of-range values: errors that name key, place and what was expected. Durations "90s 15m
 * 24h 7d", sizes "64MiB 4GiB 512KB", both also plain numbers (seconds, bytes). Filled once before
 * the threads start, read-only afterwards. */
#ifndef SERVICE_SETTINGS_H
#define SERVICE_SETTINGS_H

#include "base/buf.h"
#include "base/error.h"
#include "data/events.h"

#include <stdbool.h>

#define SETTINGS_MAX 64

struct settings {
    /* [server] */
    char data[4096];         /* --data */
    char listen[128];        /* "127.0.0.1:8080", "[::1]:8080", port 0: any free one */
    uint32_t loops;          /* event loops */
    bool insecure;           /* other addresses than loopback without keys */
    char cors_origins[2048]; /* comma list; empty: CORS off */
    char log_level[8];
    uint32_t connections; /* per loop */
    int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, drain_timeout_ms;
    uint64_t inline_body_bytes; /* ingest: larger bodies are spooled */
    uint64_t upload_bytes;      /* largest spooled upload */
    uint32_t ingest_queue;      /* waiting ingest requests before 503 */
    /* [train] */
    uint64_t min_new_orders; /* 0: no automatic training by count */
    int64_t interval_ms;     /* train at least this often when there is anything new; 0: never */
    uint64_t memory_limit_bytes; /* 0: none */
    uint32_t threads;
    char min_support[32]; /* "0.1%" or "25"; empty: automatic */
    double min_confidence, min_lift, max_q;
    bool rehearse, gate; /* eval/rehearsal.h */
    double tail_target;
    char tune[16]; /* settings_parse_tune */
    uint32_t tune_hour;
    int64_t tune_budget_ms;
    bool productive; /* only rules whose every item improves on the rule without it */
    uint32_t max_length, neighbours;
    uint64_t max_itemsets, max_rules;
    bool embeddings;
    uint32_t max_order_items, max_events;
    /* [events] */
    struct event_weights event_weights;
    /* [orders] */
    uint32_t keep_days; /* 0: for ever */
    /* [models] */
    uint32_t keep_models;
    /* [users] */
    bool erase_orders; /* erasing a user deletes the orders instead of unlinking them */
    /* [ingest] */
    uint64_t max_decompressed_bytes;
    uint64_t sort_memory_bytes;

    unsigned char origin[SETTINGS_MAX]; /* enum setting_origin, by row of the table */
};

enum setting_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

/* Only the defaults. */
void settings_default(struct settings *s);

/* Defaults, then the file (--config FILE or BASKETD_CONFIG, which must exist; else DIR/basketd.conf
 * when there is one), then the environment, then flags: every "--name value" or "--name=value" the
 * table knows is taken out of argv; the others are left for the command (argc updated). A switch
 * takes no value in the two-word form. "--" ends the flags. ERR_INVALID names the key, its place
 * and what was expected. */
int settings_load(struct settings *s, int *argc, char **argv, struct error *err) WARN_UNUSED;

/* "64MiB", "4GiB", "512KB", "1000" (bytes): as a setting of that type. */
bool settings_parse_size(struct str text, uint64_t *bytes);
/* "90s", "15m", "24h", "7d", "90" (seconds). */
bool settings_parse_duration(struct str text, int64_t *ms);

/* train.tune: "off", "nightly" or how often. */
enum tune_when { TUNE_OFF, TUNE_NIGHTLY, TUNE_EVERY };
bool settings_parse_tune(struct str text, enum tune_when *when, int64_t *every_ms);

/* "key = value  # where from" lines for `basketd config`; one JSON object for --json. */
void settings_print(const struct settings *s, struct buf *out, bool json);
/* The Markdown table of docs/settings.md. */
void settings_markdown(struct buf *out);
/* Lines of --help for the options of `section` ("server", "train", …). */
void settings_help(struct buf *out, const char *section);

#endif
