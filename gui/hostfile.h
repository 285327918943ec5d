/*
 * Whole files and names of files, for the front ends.
 */
#ifndef OXBOW_GUI_HOSTFILE_H
#define OXBOW_GUI_HOSTFILE_H

#include "memory/base.h"
#include "memory/err.h"

/*
 * All of a file in memory, with a zero byte behind it that does not count; free() it.  NULL:
 * failed.
 */
uint8_t *hostfile_read(const char *path, size_t *len, struct err *e);
/* Up to n bytes from `off`; fewer at the end of the file; -1: failed. */
long hostfile_peek(const char *path, uint64_t off, uint8_t *buf, size_t n, uint64_t *size,
                   struct err *e);

/* Opens a file for output without touching its contents yet; made when missing.  -1: failed. */
int hostfile_output(const char *path, struct err *e);
void hostfile_truncate(int fd);
void hostfile_close(int fd);
/* Overwrites bytes at `off`; where writing goes on stays.  False: a pipe, or failed, see errno. */
bool hostfile_patch(int fd, uint64_t off, const void *data, size_t n);
/* True when the path names the file behind fd. */
bool hostfile_same(int fd, const char *path);
/* A new sparse file of that size; never replaces one. */
bool hostfile_create(const char *path, uint64_t size, struct err *e);

/*
 * A file that appears under its name only when it is complete: written beside it and renamed at
 * the end.
 */
struct hostfile_new;
struct hostfile_new *hostfile_begin(const char *path, struct err *e);
void hostfile_put(struct hostfile_new *f, const void *data, size_t n);
/*
 * Finishes it, or throws it away when `good` is false or a write failed; false: nothing was
 * replaced.
 */
bool hostfile_commit(struct hostfile_new *f, bool good, struct err *e);

/* `path` as seen from folder `dir` (NULL: as it is); free() it.  NULL: no memory. */
char *hostfile_join(const char *dir, const char *path);
/* The folder of a file; free() it. */
char *hostfile_dir(const char *path);

#endif
