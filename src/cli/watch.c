/* One thread that draws the line a few times a second and waits for SIGINT and SIGTERM, which are
 * blocked in all others, so that no signal handler is needed. It is woken by one of them at the
 * end, so that a command never waits for its nap. A second signal ends the process at once: the
 * work may hang in a write that nobody reads. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct watch {
    pthread_t thread;
    struct progress *progress;
    const _Atomic uint64_t *rows;
    atomic_bool stopping;
    bool terminal;
    uint64_t start_ns;
    const char *step;
    uint64_t step_ns; /* when the present step began */
};

static void draw(struct watch *w)
{
    const char *step = atomic_load(&w->progress->step);
    uint64_t done = atomic_load(&w->progress->done), total = atomic_load(&w->progress->total);
    uint64_t now = clock_mono_ns();
    if (!step)
        return;
    if (step != w->step) {
        w->step = step;
        w->step_ns = now;
    }
    double passed = (double)(now - w->step_ns) * 1e-9, all = (double)(now - w->start_ns) * 1e-9;
    fprintf(stderr, "\r\033[K%s", step);
    if (total > 0)
        fprintf(stderr, " %.0f %%", 100.0 * (double)done / (double)total);
    uint64_t rows = w->rows ? atomic_load(w->rows) : 0;
    if (rows > 0 && all > 0.2)
        fprintf(stderr, " · %llu rows · %.0f rows/s", (unsigned long long)rows, (double)rows / all);
    if (total > done && done > 0 && passed > 1)
        fprintf(stderr, " · %.0f s left", passed * (double)(total - done) / (double)done);
    fflush(stderr);
}

static void cancel(struct progress *progress, int number)
{
    if (progress_cancelled(progress)) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, number);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        raise(number);
    }
    progress_cancel(progress);
}

static void *watch_main(void *context)
{
    struct watch *w = context;
    sigset_t set;
    const struct timespec pause = {0, 200 * 1000 * 1000};
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    for (;;) {
        int number = sigtimedwait(&set, NULL, &pause);
        if (atomic_load(&w->stopping))
            break;
        if (number > 0)
            cancel(w->progress, number);
        if (w->terminal)
            draw(w);
    }
    return NULL;
}

struct watch *watch_start(struct progress *progress, const _Atomic uint64_t *rows,
                          struct error *err)
{
    struct watch *w = mem_zarray(1, sizeof *w);
    sigset_t set;
    if (!w) {
        error_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    *w = (struct watch){.progress = progress, .rows = rows, .start_ns = clock_mono_ns()};
    w->terminal = isatty(STDERR_FILENO);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int rc = pthread_create(&w->thread, NULL, watch_main, w);
    if (rc != 0) {
        error_set_errno(err, ERR_INTERNAL, rc, "starting a thread");
        free(w);
        return NULL;
    }
    return w;
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    atomic_store(&w->stopping, true);
    pthread_kill(w->thread, SIGINT);
    pthread_join(w->thread, NULL);
    if (w->terminal)
        fputs("\r\033[K", stderr);
    free(w);
}
