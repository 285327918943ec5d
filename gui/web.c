/*
 * The library through Emscripten: boots the demo PC under Node until its ready line, and says how
 * fast.
 *
 * A client of oxbow.h alone, with no file or terminal of the host.  docs/web.md has the build
 * line.  Exit status: 0 the line came, 1 it did not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bios/images.h"
#include "oxbow.h"

#define DEMO_SECTORS 2880u
#define LIMIT_SECONDS 60u

static const char ready_line[] = "OXBOW-DEMO-READY";

/* The last characters of the first serial port. */
struct watch {
    char tail[sizeof ready_line];
    bool ready;
};

static void serial_out(void *ctx, const uint8_t *data, size_t n)
{
    struct watch *w = ctx;
    size_t len = sizeof ready_line - 1;

    for (size_t k = 0; k < n; k++) {
        putchar(data[k]);
        memmove(w->tail, w->tail + 1, len - 1);
        w->tail[len - 1] = (char)data[k];
        w->ready |= memcmp(w->tail, ready_line, len) == 0;
    }
}

static struct block *demo_floppy(struct err *e)
{
    uint8_t *disk = calloc(DEMO_SECTORS, 512);
    struct block *b = NULL;

    if (disk) {
        memcpy(disk, image_demo, MIN(image_demo_size, (size_t)DEMO_SECTORS * 512));
        b = block_open_mem(disk, (uint64_t)DEMO_SECTORS * 512, true, e);
        free(disk);
    }
    return b;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_to_ready(struct oxbow *m, const struct watch *w)
{
    uint64_t slice = oxbow_ips(m) / 100 + 1, end = oxbow_ips(m) * LIMIT_SECONDS;

    while (!w->ready && oxbow_icount(m) < end) {
        enum oxbow_stop stop = oxbow_run(m, slice);

        if (stop != OXBOW_LIMIT && stop != OXBOW_HELD) {
            break;
        }
    }
    return w->ready;
}

int main(void)
{
    struct oxbow_config cfg;
    struct err e = {{0}};
    struct watch w = {{0}, false};
    struct oxbow *m;
    double start = seconds(), took;
    bool ready;

    oxbow_config_init(&cfg);
    cfg.floppy[0] = demo_floppy(&e);
    cfg.serial[0] = (struct chardev){serial_out, &w};
    m = cfg.floppy[0] ? oxbow_new(&cfg, &e) : NULL;
    if (!m) {
        fprintf(stderr, "oxbow: %s\n", e.text);
        return EXIT_FAILURE;
    }
    ready = run_to_ready(m, &w);
    took = seconds() - start;
    printf("%s after %.2f s: %.1f million instructions, %.1f of them idle; %.1f million a second\n",
           ready ? "ready" : "not ready", took, (double)oxbow_icount(m) / 1e6,
           (double)oxbow_idle(m) / 1e6, (double)(oxbow_icount(m) - oxbow_idle(m)) / 1e6 / took);
    oxbow_free(m);
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}
