/*
 * Whole files of the host; see hostfile.h.  Image files of drives are opened by
 * devices/block_file.c.
 */
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "gui/hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger than any kernel, initrd, ROM, script or saved state. */
#define MAX_BYTES ((uint64_t)4 << 30)

/* Opens a regular file for reading. */
static int open_in(const char *path, uint64_t *size, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        int why = errno;

        if (fd >= 0) {
            close(fd);
        }
        if (why == ENOENT || why == ENOTDIR) {
            err_set(e, "%s: no such file; check the name", path);
        } else {
            err_set(e, "%s: can't be read (%s)", path, strerror(why));
        }
        return -1;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        err_set(e, "%s: this is %s, not a file", path,
                S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
        close(fd);
        return -1;
    }
    *size = (uint64_t)st.st_size;
    if (S_ISBLK(st.st_mode)) {
        off_t end = lseek(fd, 0, SEEK_END);

        *size = end > 0 ? (uint64_t)end : 0;
    }
    return fd;
}

/* Bytes read, fewer only at the end; -1: failed. */
static long read_at(int fd, uint64_t off, uint8_t *buf, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = pread(fd, buf + have, MIN(n - have, (size_t)1 << 30), (off_t)(off + have));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    return (long)have;
}

uint8_t *hostfile_read(const char *path, size_t *len, struct err *e)
{
    uint64_t size = 0;
    uint8_t *data;
    long got;
    int fd = open_in(path, &size, e);

    if (fd < 0) {
        return NULL;
    }
    data = size < MAX_BYTES && size < SIZE_MAX / 2 ? malloc((size_t)size + 1) : NULL;
    if (!data) {
        close(fd);
        err_set(e, "%s: too large for memory (%llu MB)", path, (unsigned long long)(size >> 20));
        return NULL;
    }
    got = read_at(fd, 0, data, (size_t)size);
    if (got < 0) {
        err_set(e, "%s: can't be read (%s)", path, strerror(errno));
        free(data);
        data = NULL;
    } else if (got == 0) {
        err_set(e, "%s: the file is empty", path);
        free(data);
        data = NULL;
    } else {
        data[got] = 0;
        *len = (size_t)got;
    }
    close(fd);
    return data;
}

long hostfile_peek(const char *path, uint64_t off, uint8_t *buf, size_t n, uint64_t *size,
                   struct err *e)
{
    int fd = open_in(path, size, e);
    long got;

    if (fd < 0) {
        return -1;
    }
    got = read_at(fd, off, buf, n);
    if (got < 0) {
        err_set(e, "%s: can't be read (%s)", path, strerror(errno));
    }
    close(fd);
    return got;
}

/* --- output -------------------------------------------------------------------------------- */

int hostfile_output(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0666);

    if (fd < 0) {
        err_set(e, "%s: can't be written (%s); name another file", path, strerror(errno));
    }
    return fd;
}

void hostfile_truncate(int fd)
{
    struct stat st;

    /* On a file that can't be cut the new contents start at its beginning all the same. */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, 0) != 0) {
        lseek(fd, 0, SEEK_SET);
    }
}

void hostfile_close(int fd)
{
    close(fd);
}

bool hostfile_patch(int fd, uint64_t off, const void *data, size_t n)
{
    if (lseek(fd, 0, SEEK_CUR) < 0) {
        return false;
    }
    return n == 0 || pwrite(fd, data, n, (off_t)off) == (ssize_t)n;
}

bool hostfile_same(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && S_ISREG(a.st_mode) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool hostfile_create(const char *path, uint64_t size, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    bool ok;

    if (fd < 0) {
        return errno == EEXIST
                   ? err_set(e, "%s: exists already; remove it or choose another name", path)
                   : err_set(e, "%s: can't be made (%s)", path, strerror(errno));
    }
    ok = ftruncate(fd, (off_t)size) == 0 ||
         err_set(e, "%s: can't be made that large (%s)", path, strerror(errno));
    close(fd);
    if (!ok) {
        unlink(path);
    }
    return ok;
}

struct hostfile_new {
    FILE *f;
    char *temp;
    int failed; /* errno of the first write that failed */
    char path[];
};

struct hostfile_new *hostfile_begin(const char *path, struct err *e)
{
    size_t n = strlen(path);
    struct hostfile_new *f = calloc(1, sizeof *f + n + 1);
    struct stat st;
    int fd = -1;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        free(f);
        err_set(e, "%s: not a plain file; name another one", path);
        return NULL;
    }
    if (f) {
        memcpy(f->path, path, n + 1);
        f->temp = malloc(n + 32);
    }
    if (f && f->temp) {
        snprintf(f->temp, n + 32, "%s.%ld.tmp", path, (long)getpid());
        unlink(f->temp);
        fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
    } else {
        errno = ENOMEM;
    }
    if (fd >= 0) {
        f->f = fdopen(fd, "wb");
    }
    if (!f || !f->f) {
        err_set(e, "%s: can't be written (%s); name another file", path, strerror(errno));
        if (f) {
            free(f->temp);
        }
        free(f);
        return NULL;
    }
    return f;
}

void hostfile_put(struct hostfile_new *f, const void *data, size_t n)
{
    if (!f->failed && n && fwrite(data, 1, n, f->f) != n) {
        f->failed = errno ? errno : EIO;
    }
}

bool hostfile_commit(struct hostfile_new *f, bool good, struct err *e)
{
    if (!f->failed && (fflush(f->f) != 0 || fsync(fileno(f->f)) != 0)) {
        f->failed = errno;
    }
    if (fclose(f->f) != 0 && !f->failed) {
        f->failed = errno;
    }
    if (good && !f->failed && rename(f->temp, f->path) != 0) {
        f->failed = errno;
    }
    if (!good || f->failed) {
        unlink(f->temp);
    }
    if (good && f->failed) {
        good = err_set(e, "%s: can't be written (%s); nothing was replaced", f->path,
                       strerror(f->failed));
    }
    free(f->temp);
    free(f);
    return good;
}

/* --- names --------------------------------------------------------------------------------- */

char *hostfile_join(const char *dir, const char *path)
{
    size_t n = dir ? strlen(dir) : 0, k = strlen(path);
    char *s = malloc(n + k + 2);

    if (!s) {
        return NULL;
    }
    if (n == 0 || path[0] == '/' || path[0] == 0) {
        memcpy(s, path, k + 1);
    } else {
        memcpy(s, dir, n);
        s[n] = '/';
        memcpy(s + n + 1, path, k + 1);
    }
    return s;
}

char *hostfile_dir(const char *path)
{
    const char *end = strrchr(path, '/');
    size_t n = end ? MAX((size_t)(end - path), (size_t)1) : 0;
    char *s = malloc(n + 2);

    if (s) {
        if (end) {
            memcpy(s, path, n);
            s[n] = 0;
        } else {
            strcpy(s, ".");
        }
    }
    return s;
}
