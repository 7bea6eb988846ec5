/* Counters and histograms; cheap relaxed atomics, one set per loop summed when read. Prometheus
 * text 0.0.4, prefix basketd_, base units. Labels come from fixed tables only. */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include "base/buf.h"
#include "service/shop.h"

#define METRICS_ROUTES_MAX 40

struct metrics_loop; /* one per event loop */

/* `routes`: static names, the same array for all loops. Lives as long as the shop. ERR_NOMEM. */
struct metrics_loop *metrics_attach(struct shop *shop, const char *const *routes,
                                    uint32_t route_count, struct error *err) WARN_UNUSED;
/* `method`: index into metrics_methods. */
void metrics_request(struct metrics_loop *m, uint32_t route, uint32_t method, int status,
                     uint64_t duration_ns);
void metrics_in_flight(struct metrics_loop *m, int change);
void metrics_recommendation(struct metrics_loop *m, enum surface surface, enum fallback fallback,
                            uint32_t count);
void metrics_connection(struct metrics_loop *m, int change);

enum metric_ingest {
    METRIC_ACCEPTED,
    METRIC_REPLACED,
    METRIC_DUPLICATE,
    METRIC_CANCELLED,
    METRIC_REJECTED,
    METRIC_INGEST_COUNT
};
void metrics_ingested(struct shop *shop, enum metric_ingest result, uint64_t count);
void metrics_commit(struct shop *shop, uint64_t duration_ns, uint32_t ops);
void metrics_commit_failed(struct shop *shop);
void metrics_trained(struct shop *shop, bool ok, double seconds);
void metrics_model_load_failed(struct shop *shop);

void metrics_text(struct shop *shop, struct buf *out); /* on a loop: memory only */

/* GET POST PUT PATCH DELETE HEAD OPTIONS other */
#define METRICS_METHODS 8
extern const char *const metrics_methods[METRICS_METHODS];

/* For the service floor. */
struct metrics *metrics_new(struct error *err) WARN_UNUSED;
void metrics_free(struct metrics *metrics);
#endif
