/*
 * Snapshot stream: named, versioned sections of declared fields.
 *
 * Layout (all little-endian): magic "OXSN", u32 format version, then sections
 *   { char name[24], u16 version, u16 reserved, u32 length, u32 crc32, payload[length] }.
 * A section's payload is its field table written in order.  Compression is the caller's business.
 * Rules: no pointers, no host time, no derived state.  A field added later carries `since` and
 * keeps its reset value when an older section is loaded.
 */
#ifndef OXBOW_MEMORY_SNAP_H
#define OXBOW_MEMORY_SNAP_H

#include "memory/base.h"
#include "memory/err.h"

enum snap_kind { SNAP_U8, SNAP_U16, SNAP_U32, SNAP_U64, SNAP_BOOL, SNAP_BYTES };

struct snap_field {
    const char *name; /* NULL ends a table */
    uint32_t off;     /* offset in the object */
    uint32_t count;   /* number of elements; for SNAP_BYTES number of bytes */
    uint8_t kind;     /* enum snap_kind */
    uint8_t since;    /* first section version that holds it */
};

/* Field table entries; `int`-sized enums are declared as SNAP_U32 members. */
#define SNAP_F(type, m, k) {#m, (uint32_t)offsetof(type, m), 1, (k), 0}
#define SNAP_ARRAY(type, m, k)                                                                 \
    {#m, (uint32_t)offsetof(type, m),                                                          \
     (uint32_t)(sizeof(((type *)0)->m) / snap_kind_size(k)), (k), 0}
#define SNAP_SINCE(type, m, k, version)                                                        \
    {#m, (uint32_t)offsetof(type, m), 1, (k), (version)}
#define SNAP_ARRAY_SINCE(type, m, k, version)                                                  \
    {#m, (uint32_t)offsetof(type, m),                                                          \
     (uint32_t)(sizeof(((type *)0)->m) / snap_kind_size(k)), (k), (version)}
#define SNAP_ARRAY_SINCE(type, m, k, version)                                                  \
    {#m, (uint32_t)offsetof(type, m),                                                          \
     (uint32_t)(sizeof(((type *)0)->m) / snap_kind_size(k)), (k), (version)}
#define SNAP_END {NULL, 0, 0, 0, 0}
#define snap_kind_size(k)                                                                      \
    ((k) == SNAP_U16 ? 2u : (k) == SNAP_U32 ? 4u : (k) == SNAP_U64 ? 8u : 1u)

struct snap_writer {
    uint8_t *buf;
    size_t len, cap;
    size_t section; /* offset of the open section's header, or SIZE_MAX */
    bool failed;    /* out of memory; everything after is ignored */
};

enum { SNAP_SECTIONS = 128 }; /* a stream has at most so many */

struct snap_reader {
    const uint8_t *buf;
    size_t len, pos;
    size_t end;       /* end of the open section */
    unsigned version; /* of the open section */
    size_t sections;
    bool seen[SNAP_SECTIONS]; /* which have been opened */
    bool failed;      /* a read past the section or a wrong name; sticky */
};

void snap_writer_init(struct snap_writer *w); /* writes the file header */
void snap_writer_free(struct snap_writer *w);
void snap_begin(struct snap_writer *w, const char *name, unsigned version);
void snap_end(struct snap_writer *w);
void snap_put(struct snap_writer *w, const void *p, size_t n);
void snap_put_u32(struct snap_writer *w, uint32_t v);
void snap_put_u64(struct snap_writer *w, uint64_t v);
void snap_put_fields(struct snap_writer *w, const struct snap_field *f, const void *obj);

/* Also looks at all sections' headers: whole, each name once. */
bool snap_reader_init(struct snap_reader *r, const void *buf, size_t len, struct err *e);
bool snap_has(const struct snap_reader *r, const char *name);
/* Opens the section `name`, wherever it lies; its version must be <= max_version. */
bool snap_open(struct snap_reader *r, const char *name, unsigned max_version, struct err *e);
bool snap_close(struct snap_reader *r, struct err *e); /* error when data is missing or left */
bool snap_finish(struct snap_reader *r, struct err *e); /* error when a section was never opened */
bool snap_get(struct snap_reader *r, void *p, size_t n);
uint32_t snap_get_u32(struct snap_reader *r);
uint64_t snap_get_u64(struct snap_reader *r);
bool snap_get_fields(struct snap_reader *r, const struct snap_field *f, void *obj);

uint32_t snap_crc32(uint32_t crc, const void *p, size_t n);
/* FNV-1a 64-bit over a buffer: the state hash of `-hash`. */
uint64_t snap_hash(uint64_t h, const void *p, size_t n);
#define SNAP_HASH_INIT 0xcbf29ce484222325ull

#endif
