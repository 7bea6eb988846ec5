/* One request, from its target to the end of its answer: what the handlers see. It belongs to its
 * loop and is touched by the loop's thread alone, but for the time an op has it: then nobody else
 * does, and request_done brings it back through the loop's mailbox. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "http/fields.h"
#include "http/head.h"
#include "http/problem.h"
#include "http/router.h"
#include "http/target.h"
#include "service/jobs.h"
#include "service/trainer.h"

#include <uv.h>

struct MHD_Connection;
struct conn;
struct loop;
struct spool;

#define REQUEST_ID_BYTES   64
#define REQUEST_FIELDS_MAX 12
#define REQUEST_ETAG_BYTES 40

struct reply_field {
    const char *name, *value; /* static or of the arena */
};

struct request {
    struct loop *loop;
    struct MHD_Connection *connection;
    struct conn *conn;
    struct request *next; /* in the mailbox, or among the spare ones */
    struct arena arena;   /* lives as long as the request */
    uint64_t started_ns;

    /* The head. */
    struct str target, path;
    struct params params;
    struct head head;
    enum method method;
    struct match match;
    char id[REQUEST_ID_BYTES + 1]; /* X-Request-ID, theirs or ours */
    bool begun;                    /* the head was judged */
    bool close;                    /* the connection ends with the answer */

    /* The body. */
    struct buf body; /* BODY_JSON */
    uint64_t body_bytes, body_limit;
    uint64_t refused_bytes;   /* that came after the request was refused */
    struct ingest_op *ingest; /* BODY_STREAM */
    struct import_request *import;
    struct spool *spool;

    /* The answer. */
    int status; /* 0: not yet */
    struct buf out;
    const char *content_type;
    struct reply_field fields[REQUEST_FIELDS_MAX];
    uint32_t field_count;
    char etag[REQUEST_ETAG_BYTES]; /* "": none */
    struct problems problems;
    struct error err;

    /* What it waits for. */
    bool waiting; /* suspended */
    int (*resume)(struct request *r);
    uv_work_t pool;
    void (*pool_work)(struct request *r);
    void *state; /* the handler's, of the arena */
    union {
        struct op op; /* the others begin with it */
        struct item_delete_op item_delete;
        struct user_op user;
        struct job_submit_op submit;
        struct job_show_op show;
        struct job_cancel_op cancel;
        struct models_op models;
    } work;
};

struct shop *request_shop(const struct request *r);

/* Ready for the next request of the same connection or another one. */
void request_init(struct request *r, struct loop *loop);
void request_reset(struct request *r);
void request_deinit(struct request *r);

/* Judges the head: guard, request id, route, browser rules, key, announced length. GO_ON: the body
 * may come; else the status it is refused with, the answer being ready. */
int request_begin(struct request *r, struct str method, struct str version);

/* The parameters or the JSON body by the route's table. 0, or the status of the answer that says
 * what is wrong. */
int request_params(struct request *r, void *into);
int request_json(struct request *r, void *into);
/* 0, or 415: the body says that it is something else than plain JSON. Without a Content-Type, or
 * with the one that `curl -d` sends, it is taken for JSON. */
int request_json_type(struct request *r);
/* The path's variable as a number >= 1; 0, or 404. */
int request_number(struct request *r, int64_t *out);
/* The path's variable as an external id; 0, or 400. */
int request_external_id(struct request *r);

/* Hands r->work (whose done is request_done) to the writer or the reader thread; `resume` goes on
 * when it is done, with r->err set from the op. LATER, or the status of the refusal. */
int request_write(struct request *r, int (*resume)(struct request *r));
int request_read(struct request *r, int (*resume)(struct request *r));
void request_done(struct op *op);
/* The same for an op that is not r->work. */
int request_write_op(struct request *r, struct op *op, int (*resume)(struct request *r));
/* Runs `work` on uv's pool: for what may block or takes longer than a loop should. Nobody else
 * touches the request meanwhile. */
int request_offload(struct request *r, void (*work)(struct request *r),
                    int (*resume)(struct request *r));

#endif
