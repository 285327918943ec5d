/*
 * Image files as block back ends: the only place of the library that opens, locks, reads and
 * writes image files (R11).
 *
 * A whole-file lock keeps two machines from one image: shared for reading, exclusive for writing.
 * Open file description locks where the host has them (they belong to this opening and not to the
 * process), else flock; a file system that knows no locks is used without.
 * A write is complete or an error.
 * A last sector that the file holds only in part reads as padded with zeros; writing it completes
 * it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "devices/block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

enum { SECTOR = 512 };

struct file_block {
    struct block b;
    int fd;
    char label[]; /* the path as given */
};

/* Reads len bytes at off; what lies past the end of the file is zero. */
static bool read_all(int fd, uint8_t *buf, uint64_t len, uint64_t off)
{
    while (len) {
        ssize_t n = pread(fd, buf, (size_t)MIN(len, 1u << 30), (off_t)off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        if (n == 0) {
            memset(buf, 0, (size_t)len);
            return true;
        }
        buf += n;
        len -= (uint64_t)n;
        off += (uint64_t)n;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *buf, uint64_t len, uint64_t off)
{
    while (len) {
        ssize_t n = pwrite(fd, buf, (size_t)MIN(len, 1u << 30), (off_t)off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        buf += n;
        len -= (uint64_t)n;
        off += (uint64_t)n;
    }
    return true;
}

static void file_submit(struct block *b, struct block_req *req)
{
    struct file_block *f = CONTAINER_OF(b, struct file_block, b);
    uint64_t len = (uint64_t)req->count * SECTOR, off = req->sector * SECTOR;
    bool ok = true;

    switch (req->cmd) {
    case BLOCK_READ:
        ok = read_all(f->fd, req->buf, len, off);
        break;
    case BLOCK_WRITE:
        ok = write_all(f->fd, req->buf, len, off);
        break;
    case BLOCK_FLUSH:
        /* A device or file system that has nothing to flush says EINVAL. */
        ok = b->read_only || fsync(f->fd) == 0 || errno == EINVAL || errno == EROFS;
        break;
    }
    req->done(req, ok ? BLOCK_OK : BLOCK_EIO);
}

static void file_close(struct block *b)
{
    struct file_block *f = CONTAINER_OF(b, struct file_block, b);

    close(f->fd);
    free(f);
}

static const struct block_ops file_ops = {"file", file_submit, file_close, NULL, NULL};

/* False when someone else has the file; a host without locks counts as success. */
static bool lock_file(int fd, bool read_only)
{
    int failed;
#ifdef F_OFD_SETLK
    struct flock lock;

    memset(&lock, 0, sizeof lock);
    lock.l_type = read_only ? F_RDLCK : F_WRLCK;
    lock.l_whence = SEEK_SET;
    failed = fcntl(fd, F_OFD_SETLK, &lock);
    if (failed == 0) {
        return true;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return false;
    }
#endif
    failed = flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB);
    return failed == 0 || errno != EWOULDBLOCK;
}

static bool open_failed(const char *path, bool read_only, struct err *e)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return err_set(e, "%s: no such file; check the name", path);
    case EISDIR:
        return err_set(e, "%s: this is a directory; name an image file", path);
    case EACCES:
    case EPERM:
    case EROFS:
        if (!read_only) {
            return err_set(e, "%s: no permission to write it; change its permissions or start "
                           "with -snapshot", path);
        }
        return err_set(e, "%s: no permission to read it; change its permissions", path);
    default:
        return err_set(e, "%s: can't be opened (%s); check the file", path, strerror(errno));
    }
}

/* Checks an open file and finds its size. */
static bool examine(int fd, const char *path, bool read_only, uint64_t *bytes, struct err *e)
{
    struct stat st;
    off_t end;

    if (fstat(fd, &st) != 0) {
        return open_failed(path, read_only, e);
    }
    if (S_ISDIR(st.st_mode)) {
        return err_set(e, "%s: this is a directory; name an image file", path);
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return err_set(e, "%s: this is neither a file nor a disk; name an image file", path);
    }
    end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        return err_set(e, "%s: its size can't be found (%s); copy it to a file", path,
                       strerror(errno));
    }
    if (end == 0) {
        return err_set(e, "%s: the file is empty; name an image with contents", path);
    }
    if (!lock_file(fd, read_only)) {
        return err_set(e, "%s: the image is in use by another program; close that one or work on "
                       "a copy", path);
    }
    *bytes = (uint64_t)end;
    return true;
}

struct block *block_open_file(const char *path, bool read_only, struct err *e)
{
    size_t len = strlen(path);
    struct file_block *f;
    uint64_t bytes = 0;
    /* O_NONBLOCK: opening a pipe by mistake must not wait for its other end. */
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        open_failed(path, read_only, e);
        return NULL;
    }
    if (!examine(fd, path, read_only, &bytes, e)) {
        close(fd);
        return NULL;
    }
    f = calloc(1, sizeof *f + len + 1);
    if (!f) {
        close(fd);
        err_set(e, "%s: no memory to open it; close other programs", path);
        return NULL;
    }
    memcpy(f->label, path, len);
    f->fd = fd;
    f->b.ops = &file_ops;
    f->b.sectors = bytes / SECTOR + (bytes % SECTOR != 0);
    f->b.read_only = read_only;
    f->b.label = f->label;
    return &f->b;
}
