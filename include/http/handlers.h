/* The handlers: decode, ask the service or the engine, encode. They run on the request's loop and
 * return a status, LATER or GO_ON (router.h). */
#ifndef HTTP_HANDLERS_H
#define HTTP_HANDLERS_H

#include "http/request.h"

/* Tables of the routes; those of /recommend are in question.h. */
extern const struct field rules_params[], ingest_params[], jobs_params[], items_params[],
    readyz_params[], model_live_json[];

int handle_recommend_get(struct request *r);
int handle_recommend_post(struct request *r);

int handle_rules(struct request *r);

int handle_ingest_begin(struct request *r);
int handle_ingest_piece(struct request *r, struct str bytes);
int handle_ingest(struct request *r);
/* Frees what an ingest holds; called when any request ends. */
void handle_ingest_release(struct request *r);

int handle_jobs(struct request *r);
int handle_job(struct request *r);
int handle_job_cancel(struct request *r);
int handle_train(struct request *r);
/* Answers 202 with the object and the Location of job `id`. */
int handle_job_made(struct request *r, int64_t id);

int handle_models(struct request *r);
int handle_model(struct request *r);
int handle_model_activate(struct request *r);

int handle_items(struct request *r);
int handle_item(struct request *r);
int handle_item_put(struct request *r);
int handle_item_patch(struct request *r);
int handle_item_delete(struct request *r);

int handle_user(struct request *r);
int handle_user_erase(struct request *r);

int handle_livez(struct request *r);
int handle_readyz(struct request *r);
int handle_version(struct request *r);
int handle_openapi(struct request *r);
int handle_metrics(struct request *r);

#endif
