#include "support/evalcheck.h"

#include "eval/split.h"
#include "service/evaldata.h"
#include "service/tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "evalcheck: %s\n", what);
    abort();
}

static void check_error(int rc, const struct error *err)
{
    must(err->text[0] && err->code == (enum err)rc, "an error says what it is");
    must(rc == ERR_INVALID || rc == ERR_TOO_LARGE || rc == ERR_LIMIT, "bad input is told as such");
}

static void check_orders(const struct evaldata *d)
{
    const struct dataset *o = &d->orders;
    must(csr_check(&o->baskets, NULL) == 0, "baskets are whole");
    must(o->baskets.rows == o->basket_count && o->baskets.cols == o->item_count, "shape");
    for (uint32_t b = 0; b < o->basket_count; b++) {
        must(o->baskets.start[b] < o->baskets.start[b + 1], "no order is empty");
        must(b == 0 || o->time_ms[b - 1] <= o->time_ms[b], "times ascend");
        must(o->user[b] < o->user_count || o->user[b] == DATASET_NO_USER, "shoppers are known");
    }
    for (uint32_t i = 0; i < o->item_count; i++) {
        must(o->item_orders[i] > 0, "every item was ordered");
        must(d->id_rank[i] < o->item_count, "ranks are places");
        must(!id_problem(dict_name(&d->names, d->name[i])), "ids are good");
    }
}

static void check_split(const struct evaldata *d, enum protocol protocol, enum task task)
{
    const struct split_params params = {
        .protocol = protocol, .task = task, .id_rank = d->id_rank, .seed = 1};
    struct error err = ERROR_INIT;
    struct split s;
    int rc = split_make(&d->orders, &params, STAGE_TEST, &s, &err);
    if (rc) {
        check_error(rc, &err);
        return;
    }
    must(split_check(&s, &d->orders, NULL) == 0, "the split leaks");
    split_deinit(&s);
}

static void check_file(struct evaldata_request *request, const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("evalcheck", 0);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    request->path = path;
    struct evaldata first = {0}, second = {0};
    struct error err = ERROR_INIT;
    int rc = evaldata_read(request, &first, &err);
    if (rc)
        check_error(rc, &err);
    must(evaldata_read(request, &second, NULL) == rc, "the same a second time");
    if (rc == 0) {
        must(first.hash == second.hash, "the same hash");
        check_orders(&first);
        check_split(&first, PROTOCOL_LEAVE_LAST_OUT, TASK_PERSONAL);
        check_split(&first, PROTOCOL_TIME, request->sessions ? TASK_SESSION : TASK_REBUY);
    }
    evaldata_deinit(&first);
    evaldata_deinit(&second);
    close(fd);
}

void evalcheck_sequences(const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    struct evaldata_request request = {
        .format = FORMAT_SEQUENCES, .by_line = data[0] & 1, .sessions = data[0] & 1};
    check_file(&request, data + 1, size - 1);
}

void evalcheck_sessions(const uint8_t *data, size_t size)
{
    static const enum reader_format formats[] = {FORMAT_AUTO, FORMAT_NDJSON, FORMAT_JSON,
                                                 FORMAT_CSV};
    if (size == 0)
        return;
    struct evaldata_request request = {
        .format = formats[data[0] % 4], .sessions = true, .priced = data[0] & 4};
    check_file(&request, data + 1, size - 1);
}

void evalcheck_tuned(const uint8_t *data, size_t size)
{
    char directory[] = "/tmp/evalcheck-XXXXXX", path[64];
    struct recipe menu;
    struct error err = ERROR_INIT;
    const char *what;
    must(mkdtemp(directory) != NULL, "a directory");
    snprintf(path, sizeof path, "%s/tuned.json", directory);
    FILE *file = fopen(path, "w");
    must(file && (size == 0 || fwrite(data, 1, size, file) == size) && fclose(file) == 0, "a file");
    int rc = tuning_menu(directory, 1 + (uint32_t)size * 97, &menu, &err);
    unlink(path);
    rmdir(directory);
    if (rc)
        must(rc == ERR_INVALID && strstr(err.text, "tuned.json"), "an error that names the file");
    else
        must(recipe_valid(&menu, &what), "a menu that is valid");
}
