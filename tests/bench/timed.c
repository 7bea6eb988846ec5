/* Runs a command on given cores and says what it took: timed FIGURES CORES LIMIT COMMAND…
 *
 * CORES is a list such as 1 or 0,1; LIMIT the CPU seconds after which the command is killed.
 * FIGURES receives one line "WALL_S CPU_S PEAK_KIB STATUS": CPU is user and system time of the
 * command and all it started, the peak that of the largest process among them, STATUS the exit
 * status or minus the signal. A process of its own, because a child's peak begins with the size of
 * its parent. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct figures {
    double wall_s, cpu_s;
    long peak_kib;
    int status;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static int pin(const char *list)
{
    cpu_set_t cores;
    char *end;
    CPU_ZERO(&cores);
    for (const char *at = list; *at; at = *end ? end + 1 : end) {
        CPU_SET(strtoul(at, &end, 10), &cores);
        if (end == at)
            return -1;
    }
    return sched_setaffinity(0, sizeof cores, &cores);
}

/* Becomes the command; comes back only when that failed. */
static void become(const char *cores, const char *limit, char **command)
{
    rlim_t most = strtoul(limit, NULL, 10);
    if (pin(cores) || setrlimit(RLIMIT_CPU, &(struct rlimit){most, most + 1}))
        perror("timed");
    else if (execvp(command[0], command))
        fprintf(stderr, "timed: %s: %s\n", command[0], strerror(errno));
}

/* Waits for the child and whatever it left behind; the wall clock stops with the child. */
static void follow(pid_t child, double begun, struct figures *f)
{
    struct rusage used;
    pid_t ended;
    int status;
    while ((ended = wait4(-1, &status, 0, &used)) > 0) {
        f->cpu_s += seconds(used.ru_utime) + seconds(used.ru_stime);
        f->peak_kib = used.ru_maxrss > f->peak_kib ? used.ru_maxrss : f->peak_kib;
        if (ended == child) {
            f->wall_s = now_s() - begun;
            f->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        }
    }
}

int main(int argc, char **argv)
{
    struct figures f = {0};
    FILE *out;
    if (argc < 5 || !(out = fopen(argv[1], "we"))) {
        fputs("usage: timed FIGURES CORES LIMIT COMMAND...\n", stderr);
        return 2;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    double begun = now_s();
    pid_t child = fork();
    if (child == 0) {
        become(argv[2], argv[3], argv + 4);
        _exit(127);
    }
    follow(child, begun, &f);
    fprintf(out, "%.6f %.6f %ld %d\n", f.wall_s, f.cpu_s, f.peak_kib, f.status);
    return fclose(out) != 0;
}
