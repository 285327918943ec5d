/*
 * Runs CPU reference vectors against the core: native captures (*.n32v.gz), single-step tests of
 * the 80286 (*.MOO.gz) and Berkeley TestFloat cases (*.txt.gz), everything below a directory.
 *
 * Usage: vectors_run [-cpu MODEL] [-generic] [-show N] [-every N] [-skipped] DIR...
 * -every N runs the first of each N cases of a file: the same sample on every host, for those that
 * are slow.  -skipped prints the number of each skipped case, counted from 0 in its file.
 * Prints "file passed/total" lines, skipped cases with their reason, and the first differences.
 * Status 0: all passed; 1: differences; 2: nothing found, or a file or option is bad.
 */
#define _XOPEN_SOURCE 700
#include "tests/vectors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include "cpu/cpu.h"
#include "cpu/trace.h"

/* --- files ----------------------------------------------------------------------------------- */

bool vec_read_file(const char *path, struct vec_data *d)
{
    size_t room = 1 << 20;
    gzFile f = gzopen(path, "rb");
    int n = 1;

    d->size = 0;
    d->bytes = malloc(room);
    while (f && d->bytes && n > 0) {
        if (d->size == room) {
            uint8_t *more = realloc(d->bytes, room * 2);
            if (!more) {
                break;
            }
            d->bytes = more;
            room *= 2;
        }
        n = gzread(f, d->bytes + d->size, (unsigned)(room - d->size));
        d->size += n > 0 ? (size_t)n : 0;
    }
    bool ok = f && gzclose(f) == Z_OK && n == 0;
    if (!ok) {
        free(d->bytes);
        d->bytes = NULL;
    }
    return ok;
}

/* --- tally ----------------------------------------------------------------------------------- */

bool vec_wanted(struct tally *t, const struct vec_options *o)
{
    return t->seen++ % o->every == 0;
}

void vec_skip(struct tally *t, const char *why, const struct vec_options *o)
{
    unsigned n = 0;

    if (o->list_skipped) {
        printf("  %s case %ld skipped: %s\n", t->file, t->seen - 1, why);
    }
    t->skipped++;
    while (n < VEC_REASONS - 1 && t->reason[n].why && strcmp(t->reason[n].why, why) != 0) {
        n++;
    }
    t->reason[n].why = why;
    t->reason[n].count++;
}

bool vec_count(struct tally *t, bool passed, const struct vec_options *o)
{
    t->total++;
    t->passed += passed;
    return !passed && t->total - t->passed <= o->shown;
}

static void print_tally(const struct tally *t)
{
    printf("%s %ld/%ld\n", t->file, t->passed, t->total);
    for (unsigned n = 0; n < VEC_REASONS && t->reason[n].why; n++) {
        printf("  skipped %ld: %s\n", t->reason[n].count, t->reason[n].why);
    }
    fflush(stdout);
}

/* --- machine --------------------------------------------------------------------------------- */

bool vec_machine_new(struct vec_machine *m, size_t ram, const struct vec_options *o)
{
    struct err e;

    memset(m, 0, sizeof *m);
    m->size = ram;
    m->mem = bus_new((uint64_t)1 << 36);
    m->io = bus_new(65536);
    m->ram = aligned_alloc(PAGE_SIZE, ram);
    if (!m->mem || !m->io || !m->ram || bus_map_ram(m->mem, 0, ram, m->ram, BUS_RW, PRIO_RAM) < 0) {
        vec_machine_free(m);
        return false;
    }
    memset(m->ram, 0, ram);
    struct cpu_config cfg = {
        .mem = m->mem, .io = m->io, .model = o->model, .generic_only = o->generic_only};
    m->cpu = cpu_new(&cfg, &e);
    if (!m->cpu) {
        fprintf(stderr, "%s\n", e.text);
        vec_machine_free(m);
        return false;
    }
    struct bus_client client = cpu_bus_client(m->cpu);
    bus_set_client(m->mem, &client);
    return true;
}

void vec_machine_free(struct vec_machine *m)
{
    cpu_free(m->cpu);
    if (m->mem) {
        bus_free(m->mem);
    }
    if (m->io) {
        bus_free(m->io);
    }
    free(m->ram);
    memset(m, 0, sizeof *m);
}

void vec_step(struct cpu *c)
{
    if (trace_flush_pending(c)) {
        trace_flush_now(c);
    }
    c->until = c->icount + 1;
    cpu_slice_begin(c, 1);
    cpu_execute(c, trace_lookup(c, MODE_ONE));
    cpu_slice_end(c);
}

/* --- directories ----------------------------------------------------------------------------- */

struct run {
    struct vec_options options;
    int status;
    long files, passed, total, skipped;
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static void worse(struct run *r, int status)
{
    r->status = status > r->status ? status : r->status;
}

static void run_data(struct run *r, const char *path, const char *name,
                     bool (*reader)(const struct vec_data *, struct tally *,
                                    const struct vec_options *))
{
    struct tally t = {.file = name};
    struct vec_data d;

    if (!vec_read_file(path, &d)) {
        printf("%s: cannot be read\n", path);
        worse(r, 2);
        return;
    }
    if (!reader(&d, &t, &r->options)) {
        printf("%s: damaged, or of an unknown version\n", path);
        worse(r, 2);
    }
    free(d.bytes);
    print_tally(&t);
    worse(r, t.passed != t.total);
    r->passed += t.passed;
    r->total += t.total;
    r->skipped += t.skipped;
}

static void run_file(struct run *r, const char *dir, const char *path, const char *name)
{
    if (ends_with(name, ".n32v.gz")) {
        run_data(r, path, name, vec_native);
    } else if (ends_with(name, ".MOO.gz")) {
        run_data(r, path, name, vec_moo);
    } else if (ends_with(name, ".txt.gz")) {
        worse(r, testfloat_file(dir, name, r->options.every));
    } else {
        return;
    }
    r->files++;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void run_dir(struct run *r, const char *path, unsigned depth);

static void run_entry(struct run *r, const char *dir, const char *name, unsigned depth)
{
    char path[2048];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (is_dir(path)) {
        run_dir(r, path, depth + 1);
    } else {
        run_file(r, dir, path, name);
    }
}

static void run_dir(struct run *r, const char *path, unsigned depth)
{
    char **names = NULL;
    size_t count = 0, room = 0;
    DIR *dir = depth < 8 ? opendir(path) : NULL;

    if (!dir) {
        printf("%s: cannot be read\n", path);
        worse(r, 2);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (count == room) {
            room = room ? room * 2 : 256;
            names = realloc(names, room * sizeof *names);
            if (!names) {
                abort();
            }
        }
        if (e->d_name[0] != '.') {
            names[count++] = strdup(e->d_name);
        }
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t n = 0; n < count; n++) {
        run_entry(r, path, names[n], depth);
        free(names[n]);
    }
    free(names);
}

/* DIR, or a single file. */
static void run_argument(struct run *r, const char *path)
{
    if (is_dir(path)) {
        run_dir(r, path, 0);
        return;
    }
    const char *slash = strrchr(path, '/');
    char dir[2048];
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    run_file(r, dir, path, slash ? slash + 1 : path);
}

int main(int argc, char **argv)
{
    struct run r = {.options = {.model = "max", .shown = VEC_SHOWN, .every = 1}};
    int n = 1;

    for (; n < argc && argv[n][0] == '-'; n++) {
        if (strcmp(argv[n], "-cpu") == 0 && n + 1 < argc) {
            r.options.model = argv[++n];
        } else if (strcmp(argv[n], "-show") == 0 && n + 1 < argc) {
            r.options.shown = strtol(argv[++n], NULL, 10);
        } else if (strcmp(argv[n], "-every") == 0 && n + 1 < argc) {
            r.options.every = strtol(argv[++n], NULL, 10);
        } else if (strcmp(argv[n], "-skipped") == 0) {
            r.options.list_skipped = true;
        } else if (strcmp(argv[n], "-generic") == 0) {
            r.options.generic_only = true;
        } else {
            break;
        }
    }
    if (n >= argc || argv[n][0] == '-' || r.options.every < 1) {
        fprintf(stderr, "usage: vectors_run [-cpu MODEL] [-generic] [-show N] [-every N] "
                        "[-skipped] DIR...\n");
        return 2;
    }
    for (; n < argc; n++) {
        run_argument(&r, argv[n]);
    }
    if (r.files == 0) {
        printf("no vector files found\n");
        worse(&r, 2);
    }
    printf("%ld files; instruction vectors %ld/%ld, %ld skipped\n", r.files, r.passed, r.total,
           r.skipped);
    return r.status;
}
