/*
 * A program against the installed library: boots the floppy image that its argument names until a
 * line comes out of COM1, then prints the screen.  C11 and C++ alike; built by run-install.sh.
 */
#include <oxbow/oxbow.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    char text[64];
    size_t n;
};

static void serial(void *ctx, const uint8_t *data, size_t n)
{
    struct line *l = (struct line *)ctx;

    for (size_t k = 0; k < n && l->n < sizeof l->text - 1; k++) {
        l->text[l->n++] = (char)data[k];
    }
}

static void print_screen(struct oxbow *m)
{
    static struct text_screen t;

    oxbow_text(m, &t);
    for (unsigned y = 0; y < t.rows; y++) {
        for (unsigned x = 0; x < t.cols; x++) {
            uint8_t ch = t.ch[y * t.cols + x];
            putchar(ch >= ' ' && ch < 0x7f ? ch : ' ');
        }
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    static struct line line;
    struct oxbow_config cfg;
    struct err e;

    oxbow_config_init(&cfg);
    cfg.boot = "a";
    cfg.floppy[0] = block_open_file(argc > 1 ? argv[1] : "", true, &e);
    cfg.serial[0].write = serial;
    cfg.serial[0].ctx = &line;
    struct oxbow *m = cfg.floppy[0] ? oxbow_new(&cfg, &e) : NULL;
    if (!m) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    while (!strstr(line.text, "READY") && oxbow_icount(m) < 2000000000u) {
        oxbow_run(m, 10000000);
    }
    print_screen(m);
    printf("%s\n", line.text);
    oxbow_free(m);
    return 0;
}
