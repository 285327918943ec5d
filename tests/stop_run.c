/*
 * Starts a program, sends it a signal when it has been busy for a while, and says how it ended and
 * what that took: in its own processor time, so that a loaded host makes no difference.
 *
 * Usage: stop_run SIGNAL TIMES BUSY-MS LIMIT-MS PROGRAM ARGUMENT...
 *   TIMES     how often the signal is sent, 20 ms apart
 *   BUSY-MS   of processor time before the first one; a program that sleeps instead gets it after
 *             ten times that on the clock
 *   LIMIT-MS  of processor time after it
 * With STOP_RUN_IGNORE in the environment the program is told to ignore the signal, as by nohup.
 * Prints "status N" (128 + n: killed by signal n) and exits with 1 when the limit was passed.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000 }; /* of waiting for the end on the clock */

static long ms_of(struct timespec t)
{
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long now_ms(clockid_t clock)
{
    struct timespec t = {0, 0};

    clock_gettime(clock, &t);
    return ms_of(t);
}

static void nap(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static long used_by_children_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_CHILDREN, &u);
    return (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (long)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* Waits for the end; false: it had to be killed. */
static bool reap(pid_t pid, int *status)
{
    long start = now_ms(CLOCK_MONOTONIC);

    while (waitpid(pid, status, WNOHANG) == 0) {
        if (now_ms(CLOCK_MONOTONIC) - start > PATIENCE_MS) {
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return false;
        }
        nap(2);
    }
    return true;
}

static int watch(pid_t pid, int sig, int times, long busy, long limit)
{
    long start = now_ms(CLOCK_MONOTONIC), before, after;
    clockid_t clock;
    int status = 0;
    bool ended;

    if (clock_getcpuclockid(pid, &clock) != 0) {
        clock = CLOCK_MONOTONIC;
    }
    while (now_ms(clock) < busy && now_ms(CLOCK_MONOTONIC) - start < 10 * busy) {
        nap(5);
    }
    before = now_ms(clock);
    for (int n = 0; n < times; n++) {
        nap(n ? 20 : 0);
        kill(pid, sig);
    }
    ended = reap(pid, &status);
    after = used_by_children_ms() - before;
    printf("status %d\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    if (!ended || after > limit) {
        printf("%ld ms of processor time after the signal%s\n", after,
               ended ? "" : ", and no end");
        return 1;
    }
    return 0;
}

int main(int argc, char *argv[])
{
    pid_t pid;

    if (argc < 6) {
        fputs("usage: stop_run SIGNAL TIMES BUSY-MS LIMIT-MS PROGRAM ARGUMENT...\n", stderr);
        return 2;
    }
    pid = fork();
    if (pid == 0) {
        /* Shells ignore some for what runs in the background. */
        signal(atoi(argv[1]), getenv("STOP_RUN_IGNORE") ? SIG_IGN : SIG_DFL);
        execvp(argv[5], argv + 5);
        _exit(127);
    }
    return pid < 0 ? 2 : watch(pid, atoi(argv[1]), atoi(argv[2]), atol(argv[3]), atol(argv[4]));
}
