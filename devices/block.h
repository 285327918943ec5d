/*
 * Block back end: an asynchronous array of 512-byte sectors.
 *
 * submit() starts a request; the back end calls req->done exactly once, either before submit
 * returns (files) or later from the front end's loop (a browser fetch, a network disk).  The device
 * model charges a virtual latency and holds virtual time when the host is later than that, so the
 * guest cannot see the difference.  A back end never fails silently: done gets an error code.
 */
#ifndef OXBOW_DEVICES_BLOCK_H
#define OXBOW_DEVICES_BLOCK_H

#include "../memory/base.h"
#include "../memory/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum block_error { BLOCK_OK = 0, BLOCK_EIO = 1, BLOCK_ERANGE = 2, BLOCK_EROFS = 3 };
enum block_cmd { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

struct block_req {
    enum block_cmd cmd;
    uint64_t sector; /* of 512 bytes */
    uint32_t count;  /* sectors; 0 for BLOCK_FLUSH */
    uint8_t *buf;    /* count * 512 bytes, owned by the caller, valid until done */
    void (*done)(struct block_req *req, enum block_error error);
    void *arg;           /* the caller's */
    struct block_req *next; /* the back end's while the request is under way */
};

struct block;
struct cd_layout;
struct snap_writer;
struct snap_reader;

struct block_ops {
    const char *name;
    void (*submit)(struct block *b, struct block_req *req);
    void (*close)(struct block *b);
    /*
     * Contents that live in this process only (overlays), into the open section of a snapshot and
     * back.  NULL: the image itself keeps everything.
     */
    void (*save)(const struct block *b, struct snap_writer *w);
    bool (*load)(struct block *b, struct snap_reader *r);
};

struct block {
    const struct block_ops *ops;
    uint64_t sectors; /* size; a partial last sector reads as zero-padded */
    bool read_only;
    const char *label; /* file name for messages; owned by the back end */
    const struct cd_layout *cd; /* a disc in whole frames (cd_layout.h); NULL: plain sectors */
};

/* Checks the range and read-only, then submits. */
void block_submit(struct block *b, struct block_req *req);
void block_close(struct block *b); /* NULL is fine */

/*
 * Opens an image file.  Takes a lock (exclusive for writing, shared for reading; of the whole file,
 * released by block_close); a locked, missing, empty, unreadable or odd file gives one sentence in
 * e.
 */
struct block *block_open_file(const char *path, bool read_only, struct err *e);
/*
 * Opens a cue sheet (read-only) and the files it names, which stay locked for reading; refusals as
 * above.
 */
struct block *block_open_cue(const char *path, struct err *e);
/* Memory image: data is copied when `copy`, else must outlive the block (then read-only). */
struct block *block_open_mem(const void *data, uint64_t bytes, bool copy, struct err *e);
/* Copy-on-write overlay in memory over `base` (takes ownership): `-snapshot`. */
struct block *block_open_overlay(struct block *base, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
