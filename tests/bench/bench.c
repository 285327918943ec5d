/*
 * make bench: our own kernels (bench.asm) and a boot of the demo, on Oxbow and on the emulators
 * that are installed.
 *
 *   bench [-n ROUNDS] [-w BASELINE] [-b BASELINE] OXBOW BENCH.IMG DEMO.IMG
 *
 * Time is the CPU time of the emulator's process when a line of the guest arrives; of all rounds
 * the least counts.  The first column of ratios is a kernel against the geometric mean of all
 * kernels in the same run, which depends little on the host: it is what the baseline holds (-b
 * compares, -w writes).  The others are Oxbow / the other emulator.  Status 1 when a kernel
 * is slower by a third than the baseline, or answers something else than the other emulators do.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KERNELS 40
#define SLOWER 1.33
#define LIMIT_S 120

enum { OXBOW, QEMU, BOCHS, PEERS };
static const char *const peer_names[PEERS] = {"oxbow", "qemu-tcg", "bochs"};

struct result {
    char name[16];
    double s[PEERS];
    char sum[PEERS][16];
};

struct bench {
    struct result r[KERNELS];
    unsigned n;
    char dir[64];
    const char *program, *images[2];
};

static double process_seconds(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) {
        return 0;
    }
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool installed(const char *program)
{
    char command[128];

    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) {
        perror(path);
        exit(2);
    }
}

/* The copy of an image that a run may write to. */
static void copy_image(const struct bench *b, const char *from)
{
    char command[1024];

    snprintf(command, sizeof command, "cp '%s' '%s/image'", from, b->dir);
    if (system(command) != 0) {
        fprintf(stderr, "bench: cannot copy %s\n", from);
        exit(2);
    }
}

static void exec_peer(const struct bench *b, unsigned peer)
{
    char image[128], drive[160], rc[128], config[128];

    snprintf(image, sizeof image, "%s/image", b->dir);
    snprintf(drive, sizeof drive, "file=%s,format=raw,if=floppy", image);
    snprintf(rc, sizeof rc, "%s/go", b->dir);
    snprintf(config, sizeof config, "%s/bochsrc", b->dir);
    switch (peer) {
    case OXBOW:
        execlp(b->program, b->program, "-m", "64", "-fda", image, "-display", "none", "-serial",
               "stdio", (char *)NULL);
        break;
    case QEMU:
        execlp("qemu-system-i386", "qemu-system-i386", "-accel", "tcg", "-m", "64", "-nodefaults",
               "-no-user-config", "-vga", "std", "-display", "none", "-serial", "stdio", "-drive",
               drive, (char *)NULL);
        break;
    default:
        execlp("bochs", "bochs", "-q", "-f", config, "-rc", rc, (char *)NULL);
        break;
    }
    _exit(127);
}

/*
 * Bochs sends its serial port to a FIFO; it comes with its debugger, which has to be told to go on.
 */
static int bochs_port(const struct bench *b)
{
    char text[1024], fifo[128];

    snprintf(fifo, sizeof fifo, "%s/serial", b->dir);
    snprintf(text, sizeof text,
             "memory: guest=64, host=64\n"
             "romimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
             "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest\n"
             "floppya: 1_44=%s/image, status=inserted\nboot: floppy\n"
             "com1: enabled=1, mode=file, dev=%s\nclock: sync=none\ncpu: ips=100000000\n"
             "log: /dev/null\npanic: action=report\nerror: action=ignore\ninfo: action=ignore\n"
             "display_library: rfb, options=\"timeout=0\"\n", b->dir, fifo);
    write_file(b->dir, "bochsrc", text);
    write_file(b->dir, "go", "c\n");
    unlink(fifo);
    if (mkfifo(fifo, 0600)) {
        return -1;
    }
    return open(fifo, O_RDONLY | O_NONBLOCK);
}

static pid_t start(const struct bench *b, unsigned peer, int *fd)
{
    int p[2], in[2], out = -1;
    pid_t pid;

    if (pipe(p) || pipe(in)) {
        perror("pipe");
        exit(2);
    }
    *fd = p[0];
    if (peer == BOCHS) {
        *fd = out = bochs_port(b);
    }
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(in[0], 0); /* silent, and open */
        dup2(peer == BOCHS ? null : p[1], 1);
        dup2(null, 2);
        setpgid(0, 0);
        exec_peer(b, peer);
    }
    close(p[1]);
    close(in[0]);
    if (out >= 0) {
        close(p[0]);
    }
    return pid;
}

static struct result *find(struct bench *b, const char *name)
{
    unsigned k;

    for (k = 0; k < b->n; k++) {
        if (!strcmp(b->r[k].name, name)) {
            return &b->r[k];
        }
    }
    if (b->n == KERNELS) {
        exit(2);
    }
    memset(&b->r[b->n], 0, sizeof b->r[0]);
    snprintf(b->r[b->n].name, sizeof b->r[0].name, "%s", name);
    return &b->r[b->n++];
}

static void keep_least(struct bench *b, unsigned peer, const char *name, double s, const char *sum)
{
    struct result *r = find(b, name);

    if (r->s[peer] == 0 || s < r->s[peer]) {
        r->s[peer] = s;
    }
    snprintf(r->sum[peer], sizeof r->sum[peer], "%s", sum);
}

/* One line of the guest; true: it was the last one. */
static bool take_line(struct bench *b, unsigned peer, const char *line, double now, double *from)
{
    char name[16], sum[16];

    if (strstr(line, "OXBOW-DEMO-READY")) {
        keep_least(b, peer, "demo", now, "");
        return true;
    }
    if (sscanf(line, "S %15s %15s", name, sum) == 2) {
        *from = now;
    } else if (sscanf(line, "E %15s %15s", name, sum) == 2) {
        keep_least(b, peer, name, now - *from, sum);
    }
    return !strncmp(line, "DONE", 4);
}

static bool run(struct bench *b, unsigned peer, const char *image)
{
    char line[256];
    size_t len = 0;
    double from = 0;
    time_t end = time(NULL) + LIMIT_S;
    bool done = false;
    int fd;

    copy_image(b, image);
    pid_t pid = start(b, peer, &fd);
    while (!done && time(NULL) < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char c[512];
        ssize_t n = 0;

        if (poll(&p, 1, 100) > 0) {
            n = read(fd, c, sizeof c);
        }
        double now = process_seconds(pid);
        for (ssize_t k = 0; k < n && !done; k++) {
            if (c[k] != '\n') {
                line[len] = c[k];
                len += len < sizeof line - 1;
                continue;
            }
            line[len] = 0;
            len = 0;
            done = take_line(b, peer, line, now, &from);
        }
        if (n == 0 && waitpid(pid, NULL, WNOHANG) == pid) {
            pid = -1;
            break;
        }
        if (n <= 0) {
            usleep(2000);
        }
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(fd);
    return done;
}

static double geometric_mean(const struct bench *b)
{
    double sum = 0;
    unsigned k;

    for (k = 0; k < b->n; k++) {
        sum += log(b->r[k].s[OXBOW]);
    }
    return exp(sum / b->n);
}

static double baseline(const char *path, const char *name)
{
    char word[32];
    double v, found = 0;
    FILE *f = path ? fopen(path, "r") : NULL;
    char line[256];

    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%31s %lf", word, &v) == 2 && !strcmp(word, name)) {
            found = v;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

static void cell(double v, const char *format)
{
    char text[32];

    snprintf(text, sizeof text, format, v);
    printf("%12s", v > 0 ? text : "-");
}

static bool report(const struct bench *b, const char *old)
{
    double mean = geometric_mean(b), logs[PEERS] = {0};
    unsigned counts[PEERS] = {0}, k, p;
    bool good = true;

    printf("%-10s%12s%12s%12s%12s%12s\n", "kernel", "CPU ms", "/ mean", "baseline", "/ qemu-tcg",
           "/ bochs");
    for (k = 0; k < b->n; k++) {
        const struct result *r = &b->r[k];
        double ratio = r->s[OXBOW] / mean, was = baseline(old, r->name);

        printf("%-10s", r->name);
        cell(r->s[OXBOW] * 1e3, "%.1f");
        cell(ratio, "%.3f");
        cell(was, "%.3f");
        for (p = QEMU; p < PEERS; p++) {
            cell(r->s[p] > 0 ? r->s[OXBOW] / r->s[p] : 0, "%.3f");
            if (r->s[p] > 0) {
                logs[p] += log(r->s[OXBOW] / r->s[p]);
                counts[p]++;
            }
            if (r->s[p] > 0 && strcmp(r->sum[p], r->sum[OXBOW])) {
                printf("   %s says %s, we %s", peer_names[p], r->sum[p], r->sum[OXBOW]);
                good = false;
            }
        }
        if (was > 0 && ratio > was * SLOWER) {
            printf("   slower than the baseline");
            good = false;
        }
        printf("\n");
    }
    printf("%-46s", "geometric mean");
    for (p = QEMU; p < PEERS; p++) {
        cell(counts[p] ? exp(logs[p] / counts[p]) : 0, "%.3f");
    }
    printf("\n");
    return good;
}

static void write_baseline(const struct bench *b, const char *path)
{
    double mean = geometric_mean(b);
    FILE *f = fopen(path, "w");
    unsigned k;

    if (!f) {
        perror(path);
        exit(2);
    }
    fprintf(f, "# kernel, time / geometric mean of all; written by make bench-baseline\n");
    for (k = 0; k < b->n; k++) {
        fprintf(f, "%-10s %.3f\n", b->r[k].name, b->r[k].s[OXBOW] / mean);
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    struct bench b = {.dir = "/tmp/oxbow-bench-XXXXXX"};
    const char *old = NULL, *new = NULL;
    unsigned rounds = 3, k, p;
    int option;
    bool good;

    while ((option = getopt(argc, argv, "n:b:w:")) != -1) {
        if (option == 'n') {
            rounds = (unsigned)atoi(optarg);
        } else if (option == 'b') {
            old = optarg;
        } else if (option == 'w') {
            new = optarg;
        } else {
            return 2;
        }
    }
    if (argc - optind != 3 || rounds < 1) {
        fprintf(stderr, "usage: bench [-n ROUNDS] [-b BASELINE] [-w BASELINE] "
                        "OXBOW BENCH.IMG DEMO.IMG\n");
        return 2;
    }
    b.program = argv[optind];
    b.images[0] = argv[optind + 1];
    b.images[1] = argv[optind + 2];
    if (!mkdtemp(b.dir)) {
        perror(b.dir);
        return 2;
    }
    for (k = 0; k < rounds; k++) {
        for (p = 0; p < PEERS; p++) {
            if (p == OXBOW || installed(p == QEMU ? "qemu-system-i386" : "bochs")) {
                bool done = run(&b, p, b.images[0]) && run(&b, p, b.images[1]);

                if (!done) {
                    fprintf(stderr, "bench: %s did not finish\n", peer_names[p]);
                }
                if (!done && p == OXBOW) {
                    return 1;
                }
            }
        }
    }
    good = report(&b, old);
    if (new) {
        write_baseline(&b, new);
    }
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", b.dir);
    return system(command) == 0 && good ? 0 : 1;
}
