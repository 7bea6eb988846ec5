/* Every loop counts into its own block, so that counting never bounces a cache line between cores;
 * reading sums the blocks. All numbers are relaxed atomics: a scrape may see a request's count
 * before its duration, which Prometheus does not mind. Only counters that are not zero are printed
 * per route, method and status, so that the text stays short. */
#include "service/metrics.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/jobs.h"
#include "service/live.h"
#include "service/writer.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const metrics_methods[METRICS_METHODS] = {"GET",    "POST", "PUT",     "PATCH",
                                                      "DELETE", "HEAD", "OPTIONS", "other"};

static const int statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405,
                               406, 408, 409, 410, 412, 413, 414, 415, 417, 422,
                               428, 429, 431, 500, 501, 503, 505, 507, 0};
#define STATUSES (sizeof statuses / sizeof *statuses)

static const uint64_t bucket_ns[] = {500000,   1000000,  2500000,   5000000,   10000000,
                                     25000000, 50000000, 100000000, 250000000, 1000000000};
static const char *const bucket_text[] = {"0.0005", "0.001", "0.0025", "0.005", "0.01",
                                          "0.025",  "0.05",  "0.1",    "0.25",  "1"};
#define BUCKETS (sizeof bucket_ns / sizeof *bucket_ns)
_Static_assert(sizeof bucket_text / sizeof *bucket_text == BUCKETS, "one text per bucket");

typedef _Atomic uint64_t counter;

struct histogram {
    counter bucket[BUCKETS + 1]; /* not cumulative; the last is everything above */
    counter sum_ns;
};

struct metrics_loop {
    struct metrics_loop *next;
    counter requests[METRICS_ROUTES_MAX][METRICS_METHODS][STATUSES];
    struct histogram duration[METRICS_ROUTES_MAX];
    counter answers[SURFACE_COUNT][FALLBACK_COUNT];
    counter suggestions;
    _Atomic int64_t in_flight, connections;
};

struct metrics {
    pthread_mutex_t attaching;
    _Atomic(struct metrics_loop *) loops;
    const char *const *routes;
    _Atomic uint32_t route_count;
    counter ingested[METRIC_INGEST_COUNT];
    struct histogram commit;
    counter commit_ops, commit_failures;
    counter trained, train_failures, train_ns, model_load_failures;
    int64_t started_ms;
};

static void add(counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t get(counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static void observe(struct histogram *h, uint64_t ns)
{
    size_t b = 0;
    while (b < BUCKETS && ns > bucket_ns[b])
        b++;
    add(&h->bucket[b], 1);
    add(&h->sum_ns, ns);
}

struct metrics *metrics_new(struct error *err)
{
    struct metrics *m;
    if (!MEM_ZNEW(m, 1)) {
        error_set(err, ERR_NOMEM, "metrics: out of memory");
        return NULL;
    }
    pthread_mutex_init(&m->attaching, NULL);
    m->started_ms = clock_wall_ms();
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    struct metrics_loop *next;
    for (struct metrics_loop *loop = atomic_load(&m->loops); loop; loop = next) {
        next = loop->next;
        free(loop);
    }
    pthread_mutex_destroy(&m->attaching);
    free(m);
}

struct metrics_loop *metrics_attach(struct shop *shop, const char *const *routes,
                                    uint32_t route_count, struct error *err)
{
    assert(route_count <= METRICS_ROUTES_MAX);
    struct metrics *m = shop->metrics;
    struct metrics_loop *loop;
    if (!MEM_ZNEW(loop, 1)) {
        error_set(err, ERR_NOMEM, "metrics: out of memory");
        return NULL;
    }
    pthread_mutex_lock(&m->attaching);
    loop->next = atomic_load(&m->loops);
    if (!loop->next) { /* else the other loops' readers run already, and it is the same array */
        m->routes = routes;
        atomic_store(&m->route_count, route_count);
    }
    atomic_store(&m->loops, loop);
    pthread_mutex_unlock(&m->attaching);
    return loop;
}

void metrics_request(struct metrics_loop *m, uint32_t route, uint32_t method, int status,
                     uint64_t duration_ns)
{
    assert(route < METRICS_ROUTES_MAX && method < METRICS_METHODS);
    size_t s = 0;
    while (s < STATUSES - 1 && statuses[s] != status)
        s++;
    add(&m->requests[route][method][s], 1);
    observe(&m->duration[route], duration_ns);
}

void metrics_in_flight(struct metrics_loop *m, int change)
{
    atomic_fetch_add_explicit(&m->in_flight, change, memory_order_relaxed);
}

void metrics_connection(struct metrics_loop *m, int change)
{
    atomic_fetch_add_explicit(&m->connections, change, memory_order_relaxed);
}

void metrics_recommendation(struct metrics_loop *m, enum surface surface, enum fallback fallback,
                            uint32_t count)
{
    add(&m->answers[surface][fallback], 1);
    add(&m->suggestions, count);
}

void metrics_ingested(struct shop *shop, enum metric_ingest result, uint64_t count)
{
    if (count)
        add(&shop->metrics->ingested[result], count);
}

void metrics_commit(struct shop *shop, uint64_t duration_ns, uint32_t ops)
{
    observe(&shop->metrics->commit, duration_ns);
    add(&shop->metrics->commit_ops, ops);
}

void metrics_commit_failed(struct shop *shop)
{
    add(&shop->metrics->commit_failures, 1);
}

void metrics_trained(struct shop *shop, bool ok, double seconds)
{
    add(ok ? &shop->metrics->trained : &shop->metrics->train_failures, 1);
    if (ok)
        atomic_store(&shop->metrics->train_ns, (uint64_t)(seconds * 1e9));
}

void metrics_model_load_failed(struct shop *shop)
{
    add(&shop->metrics->model_load_failures, 1);
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP basketd_%s %s\n# TYPE basketd_%s %s\n", name, help, name, type);
}

/* In full, to the microsecond: %g would round large counters. */
static void number(struct buf *out, double value)
{
    bool fits = value < 9e12;
    int64_t micros = fits ? (int64_t)(value * 1e6 + 0.5) : 0;
    buf_i64(out, fits ? micros / 1000000 : (int64_t)value);
    if (micros % 1000000)
        buf_printf(out, ".%06lld", (long long)(micros % 1000000));
    buf_char(out, '\n');
}

static void single(struct buf *out, const char *name, const char *type, const char *help,
                   double value)
{
    head(out, name, type, help);
    buf_printf(out, "basketd_%s ", name);
    number(out, value);
}

/* Sum over the loops of the counter `offset` bytes into a block. */
static uint64_t summed(struct metrics *m, size_t offset)
{
    uint64_t sum = 0;
    for (struct metrics_loop *loop = atomic_load(&m->loops); loop; loop = loop->next)
        sum += get((counter *)((char *)loop + offset));
    return sum;
}

#define SUMMED(m, member) summed((m), offsetof(struct metrics_loop, member))

static void write_requests(struct metrics *m, struct buf *out)
{
    head(out, "http_requests_total", "counter", "Requests answered.");
    for (uint32_t r = 0; r < atomic_load(&m->route_count); r++)
        for (uint32_t method = 0; method < METRICS_METHODS; method++)
            for (size_t s = 0; s < STATUSES; s++) {
                uint64_t n = SUMMED(m, requests[r][method][s]);
                if (!n)
                    continue;
                buf_printf(out, "basketd_http_requests_total{route=\"%s\",method=\"%s\",code=\"",
                           m->routes[r], metrics_methods[method]);
                if (statuses[s])
                    buf_printf(out, "%d\"} %llu\n", statuses[s], (unsigned long long)n);
                else
                    buf_printf(out, "other\"} %llu\n", (unsigned long long)n);
            }
}

/* One series of a histogram from its plain counts; `label` is "" or `route="…"`. */
static void write_histogram(struct buf *out, const char *name, const char *label,
                            const uint64_t bucket[BUCKETS + 1], uint64_t sum_ns)
{
    const char *comma = *label ? "," : "", *open = *label ? "{" : "", *close = *label ? "}" : "";
    uint64_t total = 0;
    for (size_t b = 0; b <= BUCKETS; b++) {
        total += bucket[b];
        buf_printf(out, "basketd_%s_bucket{%s%sle=\"%s\"} %llu\n", name, label, comma,
                   b < BUCKETS ? bucket_text[b] : "+Inf", (unsigned long long)total);
    }
    buf_printf(out, "basketd_%s_sum%s%s%s ", name, open, label, close);
    number(out, (double)sum_ns / 1e9);
    buf_printf(out, "basketd_%s_count%s%s%s %llu\n", name, open, label, close,
               (unsigned long long)total);
}

static void write_durations(struct metrics *m, struct buf *out)
{
    head(out, "http_request_duration_seconds", "histogram",
         "From the last byte of a request's head to the end of its answer.");
    for (uint32_t r = 0; r < atomic_load(&m->route_count); r++) {
        uint64_t bucket[BUCKETS + 1], any = 0;
        for (size_t b = 0; b <= BUCKETS; b++)
            any += bucket[b] = SUMMED(m, duration[r].bucket[b]);
        if (!any)
            continue;
        char label[96];
        snprintf(label, sizeof label, "route=\"%s\"", m->routes[r]);
        write_histogram(out, "http_request_duration_seconds", label, bucket,
                        SUMMED(m, duration[r].sum_ns));
    }
}

static void write_answers(struct metrics *m, struct buf *out)
{
    head(out, "recommendations_total", "counter", "Recommendations answered.");
    for (int s = 0; s < SURFACE_COUNT; s++) {
        uint64_t sum = 0;
        for (int f = 0; f < FALLBACK_COUNT; f++)
            sum += SUMMED(m, answers[s][f]);
        buf_printf(out, "basketd_recommendations_total{surface=\"%s\"} %llu\n",
                   surface_name((enum surface)s), (unsigned long long)sum);
    }
    head(out, "fallback_total", "counter", "Recommendations that were not what was asked for.");
    for (int f = FALLBACK_NONE + 1; f < FALLBACK_COUNT; f++) {
        uint64_t sum = 0;
        for (int s = 0; s < SURFACE_COUNT; s++)
            sum += SUMMED(m, answers[s][f]);
        buf_printf(out, "basketd_fallback_total{reason=\"%s\"} %llu\n",
                   fallback_name((enum fallback)f), (unsigned long long)sum);
    }
    single(out, "suggestions_total", "counter", "Items in all recommendations.",
           (double)SUMMED(m, suggestions));
}

static void write_store(struct shop *shop, struct buf *out)
{
    static const char *const results[] = {"accepted", "replaced", "duplicate", "cancelled",
                                          "rejected"};
    _Static_assert(sizeof results / sizeof *results == METRIC_INGEST_COUNT, "results");
    struct metrics *m = shop->metrics;
    struct shop_health health;
    shop_health(shop, &health);
    head(out, "records_ingested_total", "counter", "Records taken in, by what became of them.");
    for (int i = 0; i < METRIC_INGEST_COUNT; i++)
        buf_printf(out, "basketd_records_ingested_total{result=\"%s\"} %llu\n", results[i],
                   (unsigned long long)get(&m->ingested[i]));
    uint64_t bucket[BUCKETS + 1];
    for (size_t b = 0; b <= BUCKETS; b++)
        bucket[b] = get(&m->commit.bucket[b]);
    head(out, "store_commit_duration_seconds", "histogram", "Transactions, with their commit.");
    write_histogram(out, "store_commit_duration_seconds", "", bucket, get(&m->commit.sum_ns));
    single(out, "store_ops_total", "counter", "Requests committed.", (double)get(&m->commit_ops));
    single(out, "store_commit_failures_total", "counter", "Transactions that failed.",
           (double)get(&m->commit_failures));
    single(out, "store_writable", "gauge", "1 unless the last commit failed.",
           health.store_writable);
    single(out, "queue_depth", "gauge", "Requests that wait for the writer.",
           health.writes_waiting);
    single(out, "queue_capacity", "gauge", "Requests that may wait before 503.",
           shop->settings->ingest_queue);
    single(out, "jobs_queued", "gauge", "Jobs that wait.",
           shop->jobs ? jobs_waiting(shop->jobs) : 0);
}

static void write_model(struct shop *shop, struct buf *out)
{
    struct metrics *m = shop->metrics;
    struct model *model = live_ref(shop->live);
    single(out, "model_loaded", "gauge", "1 when there is a model to answer from.", model != NULL);
    if (model) {
        head(out, "model_info", "gauge", "The model that answers.");
        buf_printf(out, "basketd_model_info{version=\"%lld\"} 1\n", (long long)model->id);
        single(out, "model_created_timestamp_seconds", "gauge", "When it was trained.",
               (double)model->created_ms / 1e3);
        single(out, "model_items", "gauge", "Items it knows.", model->item_count);
        single(out, "model_rules", "gauge", "Rules it has.", model->rules.count);
        single(out, "model_bytes", "gauge", "Memory it takes.", (double)model_bytes(model));
    }
    model_unref(model);
    single(out, "models_retired", "gauge", "Replaced models still in use.",
           live_retired(shop->live));
    single(out, "model_load_failures_total", "counter", "Stored models that did not load.",
           (double)get(&m->model_load_failures));
    single(out, "trainings_total", "counter", "Trainings that ended well.",
           (double)get(&m->trained));
    single(out, "train_failures_total", "counter", "Trainings that failed.",
           (double)get(&m->train_failures));
    single(out, "train_duration_seconds", "gauge", "How long the last good training took.",
           (double)get(&m->train_ns) / 1e9);
}

static void write_memory(struct shop *shop, struct buf *out)
{
    struct memory *m = &shop->memory;
    pthread_rwlock_rdlock(&shop->memory_lock);
    uint64_t shoppers = shoppers_count(&m->shoppers), lines = m->shoppers.line_count;
    uint64_t events = m->shoppers.event_count;
    size_t bytes = shoppers_bytes(&m->shoppers);
    const struct fresh *f = m->overlays[m->overlays[1].fresh ? 1 : 0].fresh;
    uint64_t orders = f ? f->order_count : 0, pairs = f ? f->pair_count : 0;
    uint64_t dropped = f ? f->dropped : 0;
    size_t fresh = f ? fresh_bytes(f) : 0;
    pthread_rwlock_unlock(&shop->memory_lock);
    single(out, "fresh_orders", "gauge", "Orders since the training that count already.",
           (double)orders);
    single(out, "fresh_pairs", "gauge", "Pairs of items in them.", (double)pairs);
    single(out, "fresh_dropped_orders", "gauge", "Orders that made room for newer ones.",
           (double)dropped);
    single(out, "fresh_bytes", "gauge", "Memory of the fresh orders' counts.", (double)fresh);
    single(out, "histories_loaded", "gauge", "1 when all shoppers are in memory.", m->loaded);
    single(out, "history_shoppers", "gauge", "Shoppers in memory.", (double)shoppers);
    single(out, "history_lines", "gauge", "Order lines in their histories.", (double)lines);
    single(out, "history_events", "gauge", "Events in their histories.", (double)events);
    single(out, "history_bytes", "gauge", "Memory of the histories.", (double)bytes);
}

static uint64_t open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    uint64_t count = 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* the one that reads */
}

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    unsigned long long total, resident;
    int read = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return read == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void process_value(struct buf *out, const char *name, const char *type, double value)
{
    buf_printf(out, "# TYPE process_%s %s\nprocess_%s ", name, type, name);
    number(out, value);
}

void metrics_text(struct shop *shop, struct buf *out)
{
    struct metrics *m = shop->metrics;
    write_requests(m, out);
    write_durations(m, out);
    single(out, "http_in_flight_requests", "gauge", "Requests being answered.",
           (double)(int64_t)SUMMED(m, in_flight));
    single(out, "http_connections", "gauge", "Open connections.",
           (double)(int64_t)SUMMED(m, connections));
    write_answers(m, out);
    write_store(shop, out);
    write_model(shop, out);
    write_memory(shop, out);
    process_value(out, "cpu_seconds_total", "counter", clock_cpu_s());
    process_value(out, "resident_memory_bytes", "gauge", (double)resident_bytes());
    process_value(out, "open_fds", "gauge", (double)open_files());
    process_value(out, "start_time_seconds", "gauge", (double)m->started_ms / 1e3);
}
