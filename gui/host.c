/*
 * The host's clocks, terminals, pseudo terminals and signals, for POSIX systems; see host.h.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif

#include "gui/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "gui/ending.h"

/* --- time ---------------------------------------------------------------------------------- */

uint64_t host_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

uint64_t host_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void host_sleep_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000u), (long)(us % 1000000u) * 1000};

    nanosleep(&t, NULL);
}

struct oxbow_rtc host_date(bool local)
{
    time_t now = time(NULL);
    struct tm tm;

    memset(&tm, 0, sizeof tm);
    if (local) {
        localtime_r(&now, &tm);
    } else {
        gmtime_r(&now, &tm);
    }
    return (struct oxbow_rtc){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                              MIN(tm.tm_sec, 59)};
}

/* --- terminals ----------------------------------------------------------------------------- */

struct host_tty {
    int fd;
    struct termios saved;
};

bool host_has_display(void)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

    return (x && *x) || (wayland && *wayland);
}

bool host_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

static void make_raw(struct termios *t, bool keys)
{
    t->c_iflag &= (tcflag_t) ~(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    t->c_cflag |= CS8;
    t->c_lflag &= (tcflag_t) ~(ECHO | ICANON | IEXTEN);
    if (keys) {
        t->c_lflag &= (tcflag_t)~ISIG;
    }
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

struct host_tty *host_tty_raw(int fd, bool keys)
{
    struct host_tty *t = malloc(sizeof *t);
    struct termios raw;

    if (!t || tcgetattr(fd, &t->saved) != 0) {
        free(t);
        return NULL;
    }
    t->fd = fd;
    raw = t->saved;
    make_raw(&raw, keys);
    tcsetattr(fd, TCSANOW, &raw);
    return t;
}

void host_tty_restore(struct host_tty *t)
{
    if (t) {
        tcsetattr(t->fd, TCSANOW, &t->saved);
        free(t);
    }
}

int host_read(int fd, uint8_t *buf, size_t n, uint64_t wait_us)
{
    struct pollfd p = {fd, POLLIN, 0};
    ssize_t got;

    if (poll(&p, 1, (int)MIN((wait_us + 999) / 1000, (uint64_t)1000)) <= 0) {
        return 0;
    }
    got = read(fd, buf, n);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    return got > 0 ? (int)got : -1;
}

bool host_write(int fd, const uint8_t *data, size_t n)
{
    while (n) {
        struct pollfd p = {fd, POLLOUT, 0};
        ssize_t put;

        if (poll(&p, 1, 100) <= 0) {
            if (ending_asked()) {
                return true;
            }
            continue;
        }
        /* A pipe that polls writable takes PIPE_BUF bytes at once; more could wait. */
        put = write(fd, data, MIN(n, (size_t)512));
        if (put < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        data += put;
        n -= (size_t)put;
    }
    return true;
}

void host_write_some(int fd, const uint8_t *data, size_t n)
{
    while (n) {
        ssize_t put = write(fd, data, n);

        if (put <= 0) {
            return;
        }
        data += put;
        n -= (size_t)put;
    }
}

/* The slave side starts raw, as a serial line is, and stays so when its user does not set it. */
static void raw_slave(const char *name)
{
    int fd = open(name, O_RDWR | O_NOCTTY);
    struct termios t;

    if (fd < 0) {
        return;
    }
    if (tcgetattr(fd, &t) == 0) {
        make_raw(&t, true);
        t.c_oflag &= (tcflag_t)~OPOST;
        tcsetattr(fd, TCSANOW, &t);
    }
    close(fd);
}

int host_pty(char *name, size_t len, struct err *e)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    const char *slave = NULL;

    if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0) {
        slave = ptsname(fd);
    }
    if (!slave || strlen(slave) >= len) {
        err_set(e, "-serial pty: no pseudo terminal can be made (%s); use -serial file: instead",
                strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    strcpy(name, slave);
    raw_slave(slave);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* --- signals ------------------------------------------------------------------------------- */

void host_ignore_closed_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}

void host_hold_stats_signal(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool host_asked_for_stats(void)
{
    sigset_t set;
    int number;

    if (sigpending(&set) != 0 || sigismember(&set, SIGUSR1) != 1) {
        return false;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return sigwait(&set, &number) == 0;
}
