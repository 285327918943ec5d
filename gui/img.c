/*
 * `oxbow img create FILE SIZE` and `oxbow img info FILE...`; see img.h.
 */
#include "gui/img.h"

#include <stdio.h>
#include <string.h>

#include "gui/hostfile.h"
#include "gui/image.h"
#include "gui/optvalue.h"

enum { BAD = 4 };

/* What the addressing of ATA disks reaches (48 bits), and what no file system minds. */
#define MAX_SIZE ((uint64_t)1 << 47)

static int fail(const struct err *e)
{
    fprintf(stderr, "oxbow: %s\n", e->text);
    return BAD;
}

static int create(int argc, char *const argv[])
{
    struct err e = {{0}};
    const char *word[2] = {NULL, NULL};
    int words = 0;
    uint64_t size;

    for (int n = 0; n < argc; n++) {
        if (strcmp(argv[n], "-f") == 0 && n + 1 < argc) {
            if (strcmp(argv[++n], "raw") != 0) {
                err_set(&e, "-f %s: only raw images can be made", argv[n]);
                return fail(&e);
            }
        } else if (words < 2) {
            word[words++] = argv[n];
        } else {
            words = 3;
        }
    }
    if (words != 2) {
        err_set(&e, "img create: write oxbow img create FILE SIZE, with K, M, G or T");
        return fail(&e);
    }
    if (!optvalue_scaled(word[1], 1024, 1, &size) || size < 512 || size % 512 ||
        size > MAX_SIZE) {
        err_set(&e, "%s: not the size of a disk; write whole sectors of 512 bytes, as in 20M",
                word[1]);
        return fail(&e);
    }
    return hostfile_create(word[0], size, &e) ? 0 : fail(&e);
}

static int info(int argc, char *const argv[])
{
    struct err e = {{0}};
    int status = 0;

    if (argc == 0) {
        err_set(&e, "img info: name an image");
        return fail(&e);
    }
    for (int n = 0; n < argc; n++) {
        struct image_info i;

        if (!image_look(argv[n], &i, &e)) {
            status = fail(&e);
            continue;
        }
        printf("%s: %s%s%s%s, %llu bytes%s\n", argv[n],
               i.format ? i.format : i.kind == IMAGE_UNKNOWN ? "raw data" : image_kind_name(i.kind),
               !i.format && i.detail ? " (" : "", !i.format && i.detail ? i.detail : "",
               !i.format && i.detail ? ")" : "", (unsigned long long)i.bytes,
               i.need > i.bytes ? ", truncated" : "");
    }
    return status;
}

int img_main(int argc, char *const argv[])
{
    struct err e = {{0}};

    if (argc > 0 && strcmp(argv[0], "create") == 0) {
        return create(argc - 1, argv + 1);
    }
    if (argc > 0 && strcmp(argv[0], "info") == 0) {
        return info(argc - 1, argv + 1);
    }
    err_set(&e, "img: write oxbow img create FILE SIZE, or oxbow img info FILE...");
    return fail(&e);
}
