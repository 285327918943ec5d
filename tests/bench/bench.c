/*
 * make bench: our own kernels (bench.asm), the 16-bit rows (bench16.asm) and a boot of the demo, on
 * Oxbow and on the emulators that are installed.
 *
 *   bench [OPTIONS] OXBOW BENCH.IMG BENCH16.IMG DEMO.IMG
 *     -n ROUNDS    default 3
 *     -b FILE      compare with this baseline; -w FILE: write it
 *     -B PROGRAM   one more Bochs (built without its debugger); BOCHS_SHARE: where its BIOS is
 *     -k ROW       only this 16-bit row, with or without its mode ("int", "real.int"); repeatable
 *     -p PEER      only this one beside Oxbow: qemu-tcg, bochs, bochs2; repeatable
 *
 * Time is the CPU time of the emulator's process when a line of the guest arrives; of all rounds
 * the least counts that is not far below the median: that one was a line that was seen late.
 * The first column of ratios is a kernel against the geometric mean of all
 * 32-bit kernels in the same run, which depends little on the host: it is what the baseline holds.
 * The others are Oxbow / the other emulator.  Status 1 when a kernel is slower by a third than the
 * baseline, or answers something else than the other emulators do.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KERNELS 400
#define ONLY 32
#define ROUNDS 32
#define FEWER 16
#define SLOWER 1.33
#define LIMIT_S 900

enum { OXBOW, QEMU, BOCHS, BOCHS2, PEERS };
static const char *const peer_names[PEERS] = {"oxbow", "qemu-tcg", "bochs", "bochs2"};

enum { KERNELS32, ROWS16, DEMO, IMAGES };

/* The modes of bench16.asm: the first word of a row's name, and its bit in the table of rows. */
enum { MODES = 4, NO_MODE = MODES };
#define SLOW 0x80
static const char *const mode_names[MODES + 1] = {"real", "vme", "v86", "pm16", ""};

struct result {
    char name[24];
    double s[PEERS], rounds[PEERS][ROUNDS];
    unsigned n[PEERS];
    char sum[PEERS][16];
};

struct bench {
    struct result r[KERNELS];
    unsigned n;
    char dir[64];
    const char *program, *images[IMAGES], *bochs2;
    const char *only[ONLY];
    unsigned only_n;
    struct {
        char name[9];
        double scale;
    } fewer[ONLY];
    unsigned fewer_n;
    bool used[PEERS];
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

/*
 * The time that a process has used until now.  It is stopped for that: the time of a process that
 * runs is only brought up to date at the host's ticks.
 */
static double stopped_seconds(pid_t pid)
{
    double s;
    int status;

    kill(pid, SIGSTOP);
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
        return 0;
    }
    s = process_seconds(pid);
    kill(pid, SIGCONT);
    return s;
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

static unsigned mode_of(const char *name)
{
    unsigned m;

    for (m = 0; m < MODES; m++) {
        size_t len = strlen(mode_names[m]);

        if (!strncmp(name, mode_names[m], len) && name[len] == '.') {
            break;
        }
    }
    return m;
}

/* The modes, as bits, in which the row `name` was asked for. */
static unsigned wanted_modes(const struct bench *b, const char *name)
{
    unsigned modes = b->only_n ? 0 : 15, k;

    for (k = 0; k < b->only_n; k++) {
        unsigned m = mode_of(b->only[k]);
        const char *row = m == NO_MODE ? b->only[k] : strchr(b->only[k], '.') + 1;

        if (!strcmp(row, name) || !*row) {
            modes |= m == NO_MODE ? 15 : 1U << m;
        }
    }
    return modes;
}

/*
 * Clears the modes of the rows that were not asked for in the table of bench16.img. Of the rows
 * that cost QEMU minutes, because it translates again what is stored beside, it gets fewer calls.
 */
static void choose_rows(struct bench *b, unsigned peer, unsigned char *image, size_t len)
{
    static const char mark[] = "OXBOW-BENCH-ROWS";
    size_t at;

    for (at = 0; at + 16 < len && memcmp(image + at, mark, 16) != 0; at++) {
    }
    b->fewer_n = 0;
    for (at += 16; at + 16 < len && b->fewer_n < ONLY && (image[at] || image[at + 1]); at += 16) {
        char name[9] = "";

        memcpy(name, image + at + 8, 8);
        if (peer == QEMU && image[at + 6] & SLOW) {
            unsigned calls = image[at + 4], fewer = calls > FEWER ? calls / FEWER : 1;

            image[at + 4] = (unsigned char)fewer;
            snprintf(b->fewer[b->fewer_n].name, sizeof name, "%s", name);
            b->fewer[b->fewer_n++].scale = (double)calls / fewer;
        }
        image[at + 6] &= (unsigned char)wanted_modes(b, name);
    }
}

/* The copy of an image that a run may write to. */
static void copy_image(struct bench *b, unsigned peer, unsigned kind)
{
    size_t room = 4 << 20, len = 0;
    unsigned char *bytes = malloc(room);
    char path[128];
    FILE *f = fopen(b->images[kind], "rb");

    if (bytes && f) {
        len = fread(bytes, 1, room, f);
        fclose(f);
    }
    if (kind == ROWS16) {
        choose_rows(b, peer, bytes, len);
    }
    snprintf(path, sizeof path, "%s/image", b->dir);
    f = fopen(path, "wb");
    if (!len || !f || fwrite(bytes, 1, len, f) != len || fclose(f)) {
        fprintf(stderr, "bench: cannot copy %s\n", b->images[kind]);
        exit(2);
    }
    free(bytes);
}

static void exec_peer(const struct bench *b, unsigned peer, bool disk)
{
    char image[128], drive[160], rc[128], config[128];

    snprintf(image, sizeof image, "%s/image", b->dir);
    snprintf(drive, sizeof drive, "file=%s,format=raw,if=%s", image, disk ? "ide" : "floppy");
    snprintf(rc, sizeof rc, "%s/go", b->dir);
    snprintf(config, sizeof config, "%s/bochsrc", b->dir);
    switch (peer) {
    case OXBOW:
        execlp(b->program, b->program, "-m", "64", disk ? "-hda" : "-fda", image, "-display",
               "none", "-serial", "stdio", (char *)NULL);
        break;
    case QEMU:
        execlp("qemu-system-i386", "qemu-system-i386", "-accel", "tcg", "-m", "64", "-nodefaults",
               "-no-user-config", "-vga", "std", "-display", "none", "-serial", "stdio", "-drive",
               drive, (char *)NULL);
        break;
    case BOCHS:
        execlp("bochs", "bochs", "-q", "-f", config, "-rc", rc, (char *)NULL);
        break;
    default:
        execlp(b->bochs2, b->bochs2, "-q", "-f", config, (char *)NULL);
        break;
    }
    _exit(127);
}

/*
 * Bochs sends its serial port to a FIFO; with its debugger it has to be told to go on.
 */
static int bochs_port(const struct bench *b, unsigned peer, bool disk)
{
    const char *share = peer == BOCHS2 ? getenv("BOCHS_SHARE") : NULL;
    char text[1536], fifo[128], drive[256];

    if (!share) {
        share = "/usr/share/bochs";
    }
    snprintf(drive, sizeof drive,
             disk ? "ata0-master: type=disk, path=%s/image, mode=flat, cylinders=4, heads=16, "
                    "spt=63\nboot: disk\n"
                  : "floppya: 1_44=%s/image, status=inserted\nboot: floppy\n", b->dir);
    snprintf(fifo, sizeof fifo, "%s/serial", b->dir);
    snprintf(text, sizeof text,
             "memory: guest=64, host=64\n"
             "romimage: file=%s/BIOS-bochs-latest\n"
             "vgaromimage: file=%s/VGABIOS-lgpl-latest\n%s"
             "com1: enabled=1, mode=file, dev=%s\nclock: sync=none\ncpu: ips=100000000\n"
             "log: /dev/null\npanic: action=report\nerror: action=ignore\ninfo: action=ignore\n"
             "display_library: rfb, options=\"timeout=0\"\n%s", share, share, drive, fifo,
             peer == BOCHS ? "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\n" : "");
    write_file(b->dir, "bochsrc", text);
    write_file(b->dir, "go", "c\n");
    unlink(fifo);
    if (mkfifo(fifo, 0600)) {
        return -1;
    }
    return open(fifo, O_RDONLY | O_NONBLOCK);
}

static pid_t start(const struct bench *b, unsigned peer, bool disk, int *fd)
{
    int p[2], in[2], out = -1;
    pid_t pid;

    if (pipe(p) || pipe(in)) {
        perror("pipe");
        exit(2);
    }
    *fd = p[0];
    if (peer >= BOCHS) {
        *fd = out = bochs_port(b, peer, disk);
    }
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(in[0], 0); /* silent, and open */
        dup2(peer >= BOCHS ? null : p[1], 1);
        dup2(null, 2);
        setpgid(0, 0);
        setpriority(PRIO_PROCESS, 0, 0);
        exec_peer(b, peer, disk);
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

static void keep(struct bench *b, unsigned peer, const char *name, double s, const char *sum)
{
    struct result *r = find(b, name);
    unsigned n = r->n[peer], k;

    if (n == ROUNDS) {
        return;
    }
    for (k = n; k > 0 && r->rounds[peer][k - 1] > s; k--) {
        r->rounds[peer][k] = r->rounds[peer][k - 1];
    }
    r->rounds[peer][k] = s;
    r->n[peer] = ++n;
    for (k = 0; r->rounds[peer][k] < 0.8 * r->rounds[peer][n / 2]; k++) {
    }
    r->s[peer] = r->rounds[peer][k];
    snprintf(r->sum[peer], sizeof r->sum[peer], "%s", sum);
}

/* What the time of a row has to be multiplied by, because it got fewer calls. */
static double scale_of(const struct bench *b, unsigned peer, const char *name)
{
    const char *dot = mode_of(name) == NO_MODE ? NULL : strchr(name, '.');
    unsigned k;

    for (k = 0; peer == QEMU && dot && k < b->fewer_n; k++) {
        if (!strcmp(b->fewer[k].name, dot + 1)) {
            return b->fewer[k].scale;
        }
    }
    return 1;
}

/* One line of the guest; true: it was the last one. */
static bool take_line(struct bench *b, unsigned peer, const char *line, pid_t pid, double *from)
{
    char name[24], sum[16];
    double now = stopped_seconds(pid);

    if (strstr(line, "OXBOW-DEMO-READY")) {
        keep(b, peer, "demo", now, "");
        return true;
    }
    if (sscanf(line, "S %23s", name) == 1) {
        *from = now;
    } else if (sscanf(line, "E %23s %15s", name, sum) == 2) {
        keep(b, peer, name, (now - *from) * scale_of(b, peer, name), sum);
    }
    return !strncmp(line, "DONE", 4);
}

static bool run(struct bench *b, unsigned peer, unsigned kind)
{
    char line[256];
    size_t len = 0;
    double from = 0;
    time_t end = time(NULL) + LIMIT_S;
    bool done = false;
    int fd;

    copy_image(b, peer, kind);
    pid_t pid = start(b, peer, kind == ROWS16, &fd);
    while (!done && time(NULL) < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char c[512];
        ssize_t n = 0;

        if (poll(&p, 1, 100) > 0) {
            n = read(fd, c, sizeof c);
        }
        for (ssize_t k = 0; k < n && !done; k++) {
            if (c[k] != '\n') {
                line[len] = c[k];
                len += len < sizeof line - 1;
                continue;
            }
            line[len] = 0;
            len = 0;
            done = take_line(b, peer, line, pid, &from);
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
    unsigned k, n = 0;
    double sum = 0;

    for (k = 0; k < b->n; k++) {
        if (mode_of(b->r[k].name) == NO_MODE) {
            sum += log(b->r[k].s[OXBOW]);
            n++;
        }
    }
    return n ? exp(sum / n) : 0;
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

/* One row of the table; false: it is too slow, or wrong. */
static bool report_row(const struct result *r, double mean, double was)
{
    double ratio = mean > 0 ? r->s[OXBOW] / mean : 0;
    const char *dot = mode_of(r->name) == NO_MODE ? NULL : strchr(r->name, '.');
    bool good = true;
    unsigned p;

    printf("%-10s", dot ? dot + 1 : r->name);
    cell(r->s[OXBOW] * 1e3, "%.1f");
    cell(ratio, "%.3f");
    cell(was, "%.3f");
    for (p = QEMU; p < PEERS; p++) {
        cell(r->s[p] > 0 ? r->s[OXBOW] / r->s[p] : 0, "%.3f");
    }
    for (p = QEMU; p < PEERS; p++) {
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
    return good;
}

/* The rows of one mode, and their geometric mean against each of the others. */
static bool report_mode(const struct bench *b, unsigned mode, const char *old)
{
    double mean = geometric_mean(b), logs[PEERS] = {0};
    unsigned counts[PEERS] = {0}, rows = 0, k, p;
    bool good = true;

    for (k = 0; k < b->n; k++) {
        const struct result *r = &b->r[k];

        if (mode_of(r->name) != mode) {
            continue;
        }
        if (!rows++) {
            printf("%s%-10s%12s%12s%12s%12s%12s%12s\n", mode == NO_MODE ? "" : "\n",
                   mode == NO_MODE ? "kernel" : mode_names[mode], "CPU ms", "/ mean", "baseline",
                   "/ qemu-tcg", "/ bochs", "/ bochs2");
        }
        good &= report_row(r, mean, baseline(old, r->name));
        for (p = QEMU; p < PEERS; p++) {
            if (r->s[p] > 0) {
                logs[p] += log(r->s[OXBOW] / r->s[p]);
                counts[p]++;
            }
        }
    }
    if (rows) {
        printf("%-46s", "geometric mean");
        for (p = QEMU; p < PEERS; p++) {
            cell(counts[p] ? exp(logs[p] / counts[p]) : 0, "%.3f");
        }
        printf("\n");
    }
    return good;
}

static bool report(const struct bench *b, const char *old)
{
    bool good = report_mode(b, NO_MODE, old);
    unsigned m;

    for (m = 0; m < MODES; m++) {
        good &= report_mode(b, m, old);
    }
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
    fprintf(f, "# kernel, time / geometric mean of all of 32 bits; by make bench-baseline\n");
    for (k = 0; k < b->n; k++) {
        fprintf(f, "%-12s %.3f\n", b->r[k].name, b->r[k].s[OXBOW] / mean);
    }
    fclose(f);
}

/* One round of one emulator. */
static bool run_all(struct bench *b, unsigned peer)
{
    unsigned kind;

    for (kind = 0; kind < IMAGES; kind++) {
        if ((!b->only_n || kind == ROWS16) && !run(b, peer, kind)) {
            fprintf(stderr, "bench: %s did not finish\n", peer_names[peer]);
            return false;
        }
    }
    return true;
}

static void usage(void)
{
    fprintf(stderr, "usage: bench [-n ROUNDS] [-b BASELINE] [-w BASELINE] [-B BOCHS] [-k ROW]... "
                    "[-p PEER]... OXBOW BENCH.IMG BENCH16.IMG DEMO.IMG\n");
    exit(2);
}

static void choose_peers(struct bench *b, const char *const chosen[PEERS], unsigned n)
{
    unsigned p, k;

    for (p = 0; p < PEERS; p++) {
        b->used[p] = n == 0 || p == OXBOW;
        for (k = 0; k < n; k++) {
            b->used[p] |= !strcmp(chosen[k], peer_names[p]);
        }
    }
    b->used[QEMU] = b->used[QEMU] && installed("qemu-system-i386");
    b->used[BOCHS] = b->used[BOCHS] && installed("bochs");
    b->used[BOCHS2] = b->used[BOCHS2] && b->bochs2;
}

int main(int argc, char **argv)
{
    static struct bench b = {.dir = "/tmp/oxbow-bench-XXXXXX"};
    const char *old = NULL, *new = NULL, *peers[PEERS];
    unsigned rounds = 3, peers_n = 0, k, p;
    int option;
    bool good;

    while ((option = getopt(argc, argv, "n:b:w:B:k:p:")) != -1) {
        if (option == 'n') {
            rounds = (unsigned)atoi(optarg);
        } else if (option == 'b') {
            old = optarg;
        } else if (option == 'w') {
            new = optarg;
        } else if (option == 'B') {
            b.bochs2 = optarg;
        } else if (option == 'k' && b.only_n < ONLY) {
            b.only[b.only_n++] = optarg;
        } else if (option == 'p' && peers_n < PEERS) {
            peers[peers_n++] = optarg;
        } else {
            usage();
        }
    }
    if (argc - optind != 1 + IMAGES || rounds < 1 || rounds > ROUNDS) {
        usage();
    }
    b.program = argv[optind];
    for (k = 0; k < IMAGES; k++) {
        b.images[k] = argv[optind + 1 + (int)k];
    }
    choose_peers(&b, peers, peers_n);
    setpriority(PRIO_PROCESS, 0, -10); /* where it may: to see lines when they come */
    if (!mkdtemp(b.dir)) {
        perror(b.dir);
        return 2;
    }
    for (k = 0; k < rounds; k++) {
        for (p = 0; p < PEERS; p++) {
            if (b.used[p] && !run_all(&b, p) && p == OXBOW) {
                return 1;
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
