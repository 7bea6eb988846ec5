/* What the files of this floor share: the loop, a connection, a request and its reply. */
#ifndef HTTP_HTTP_INTERNAL_H
#define HTTP_HTTP_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/router.h"
#include "service/jobs.h"
#include "service/live.h"
#include "service/metrics.h"
#include "service/trainer.h"

#include <jansson.h>
#include <microhttpd.h>
#include <uv.h>

#define JSON_BODY_BYTES  (1u << 20)
#define REQUEST_ID_BYTES 64

/* One TCP connection; owned by its loop. */
struct connection {
    struct connection *prev, *next;
    struct loop *loop;
    int fd;
    bool busy;            /* a request is being received or answered */
    uint64_t deadline_ns; /* shut down when passed; 0: none (the server is working) */
    uint64_t body_bytes;  /* of the present request, for its deadline */
};

struct server {
    struct shop *shop;
    struct loop *loops;
    uint32_t loop_count;
    uint32_t signals;                            /* SIGTERM and SIGINT seen */
    atomic_bool forced;                          /* the second one: end at once */
    const char *route_names[METRICS_ROUTES_MAX]; /* metrics are read by the loops only */
};

struct loop {
    struct shop *shop;
    struct server *server;
    uint32_t index;
    int socket;
    pthread_t thread;
    uv_loop_t uv;
    uv_poll_t poll;
    uv_timer_t mhd_timer, tick; /* MHD's own timeouts; our deadlines */
    uv_async_t bell;
    pthread_mutex_t mail_mutex;
    struct request *mail; /* requests whose work is done elsewhere, to be resumed */
    struct MHD_Daemon *daemon;
    struct live_slot *live;
    struct scratch *scratch;
    struct metrics_loop *metrics;
    struct connection *connections;
    uint32_t connection_count, suspended_count;
    bool draining, closing;
    uint64_t drain_until_ns;
    uint64_t id_prefix, id_next; /* of made request ids */
};

int loop_init(struct loop *loop,
              struct error *err) WARN_UNUSED; /* shop, server, index, socket are set */
void loop_run(struct loop *loop);             /* until drained */
void loop_drain(struct loop *loop);           /* any thread */
void loop_deinit(struct loop *loop);
void loop_kick(struct loop *loop); /* run MHD again soon; on the loop */

/* One question, from its first line to its answer. */
struct request {
    struct loop *loop;
    struct connection *connection;
    struct MHD_Connection *mhd;
    const struct route *route;
    enum http_method method;
    struct str path, id; /* decoded; borrowed from MHD */
    uint64_t start_ns;
    bool started, has_body, suspended, close, head;
    int guard_status; /* of the raw target; 0: fine */
    const char *guard_reason;
    char request_id[REQUEST_ID_BYTES + 1];
    const char *origin; /* allowed CORS origin or NULL */
    struct arena arena; /* of parsed parameters and bodies */
    struct buf body;    /* BODY_JSON */
    uint64_t body_bytes;

    /* The reply, made before it is queued. */
    struct MHD_Response *response;
    int status;

    /* Work elsewhere: `finish` makes the reply on the loop, `release` frees `state`. */
    struct request *next_mail;
    void *state;
    void (*finish)(struct request *r);
    void (*release)(void *state);
    uv_work_t work;
};

/* access.c: MHD's callbacks. */
enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                           const char *method, const char *version, const char *data, size_t *size,
                           void **req_cls);
void *on_target(void *cls, const char *target, struct MHD_Connection *mhd);
void on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                  enum MHD_RequestTerminationCode code);

/* The connection waits, no thread does; request_wake (any thread) lets the loop call `finish` and
 * go on. */
void request_suspend(struct request *r, void (*finish)(struct request *r));
void request_wake(struct request *r);
/* As request_wake, on its own loop, `finish` has been called: lets MHD go on. */
void request_resume(struct request *r);
/* Submits an op whose done wakes the request; a full queue is answered with 503. False: answered.
 */
bool request_write(struct request *r, struct op *op, void (*finish)(struct request *r));
bool request_read(struct request *r, struct op *op, void (*finish)(struct request *r));

/* guard.c (notes on the parser's weaknesses are there). */
struct guard {
    unsigned hosts, lengths, encodings, fields;
    size_t bytes;
    uint64_t content_length;
    bool chunked, expect_bad;
    const char *problem;
    int status;
};
void guard_header(struct guard *g, struct str name, struct str value);
int guard_verdict(struct guard *g, const char *version, const char **problem); /* 0: fine */
int guard_target(const char *target, const char **problem);

/* stream.c: bodies of /ingest. */
void stream_begin(struct request *r);                   /* the headers are there */
void stream_piece(struct request *r, struct str bytes); /* may suspend */
void handle_ingest(struct request *r);

/* respond.c */
void reply_buf(struct request *r, int status, const char *type,
               struct buf *body); /* empties body */
void reply_json(struct request *r, int status, struct buf *body);
/* As reply_json with an ETag over body[from, to), and 304 when the client has it. */
void reply_tagged(struct request *r, struct buf *body, size_t from, size_t to);
void reply_text(struct request *r, int status, struct str text);
void reply_empty(struct request *r, int status);
void reply_problem(struct request *r, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* With errors:[{detail, parameter | pointer}]. `where` starting with '/' or empty is a JSON
 * pointer. */
void reply_invalid(struct request *r, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reply_error(struct request *r, const struct error *err);
void reply_header(struct request *r, const char *name, const char *value);
int status_of(enum err code);
const char *status_title(int status);

/* params.c */
struct param {
    const char *name;
    struct str value; /* ptr NULL: not given */
};
/* Fills the table from the query; false: replied 400 (unknown, repeated, not UTF-8). */
bool params_read(struct request *r, struct param *params, uint32_t count);
bool param_u32(struct request *r, const struct param *p, uint32_t min, uint32_t max, uint32_t *out);
bool param_u64(struct request *r, const struct param *p, uint64_t min, uint64_t max, uint64_t *out);
bool param_real(struct request *r, const struct param *p, double min, double max, double *out);
bool param_bool(struct request *r, const struct param *p, bool *out);
bool param_price(struct request *r, const struct param *p, int64_t *out);
/* "a,b,c" as ids; *count 0 when not given. */
bool param_ids(struct request *r, const struct param *p, uint32_t max, const struct str **out,
               uint32_t *count);
struct str header_value(struct request *r, const char *name);

/* question.c: what GET and POST /recommend ask; answer.c: what they say. False: replied. */
bool question_from_params(struct request *r, struct query *q);
bool question_from_body(struct request *r, struct query *q);
void answer_write(const struct request *r, const struct model *m, const struct query *q,
                  const struct answer *a, struct buf *out, size_t *tag_from, size_t *tag_to);

/* body.c: strict JSON bodies. */
struct field {
    const char *name;
    json_t *value; /* borrowed; NULL: not given */
};
/* The body as an object (the caller decrefs); NULL: replied 400. */
json_t *body_object(struct request *r);
/* Fills the table; unknown members are refused with their pointer under `base`. False: replied. */
bool body_fields(struct request *r, json_t *object, const char *base, struct field *fields,
                 uint32_t count);
bool body_strings(struct request *r, const struct field *f, const char *base, uint32_t max,
                  const struct str **out, uint32_t *count);

/* cursor.c: opaque page positions bound to what they page through. */
void cursor_write(struct buf *out, uint64_t owner, uint64_t query_hash, uint64_t position);
bool cursor_parse(struct str text, uint64_t owner, uint64_t query_hash, uint64_t *position);
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count);

/* handle_*.c */
void handle_recommend_get(struct request *r);
void handle_recommend_post(struct request *r);
void handle_rules(struct request *r);
void handle_jobs(struct request *r);
void handle_job(struct request *r);
void handle_job_cancel(struct request *r);
void handle_train(struct request *r);
void handle_models(struct request *r);
void handle_model(struct request *r);
void handle_model_activate(struct request *r);
void handle_items(struct request *r);
void handle_item(struct request *r);
void handle_item_put(struct request *r);
void handle_item_patch(struct request *r);
void handle_item_delete(struct request *r);
void handle_user(struct request *r);
void handle_user_erase(struct request *r);
void handle_livez(struct request *r);
void handle_readyz(struct request *r);
void handle_version(struct request *r);
void handle_openapi(struct request *r);
void handle_metrics(struct request *r);

#endif
