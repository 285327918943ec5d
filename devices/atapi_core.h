/*
 * What atapi.c and atapi_disc.c share; nobody else includes this.
 */
#ifndef OXBOW_DEVICES_ATAPI_CORE_H
#define OXBOW_DEVICES_ATAPI_CORE_H

#include "devices/cd_layout.h"
#include "devices/ide_core.h"

enum sense_key { NOT_READY = 2, MEDIUM_ERROR = 3, ILLEGAL_REQUEST = 5, UNIT_ATTENTION = 6 };

/* Additional sense codes. */
enum {
    ASC_READ_ERROR = 0x11,
    ASC_BAD_COMMAND = 0x20,
    ASC_BAD_LBA = 0x21,
    ASC_BAD_FIELD = 0x24,
    ASC_BAD_PARAMETER = 0x26,
    ASC_NEW_MEDIUM = 0x28,
    ASC_RESET = 0x29,
    ASC_SEQUENCE = 0x2c,
    ASC_NO_SAVED_PAGES = 0x39,
    ASC_NO_MEDIUM = 0x3a,
    ASC_LOCKED = 0x53,
    ASC_BAD_TRACK_MODE = 0x64
};

ALWAYS_INLINE void put_be16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

ALWAYS_INLINE void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, v >> 16);
    put_be16(p + 2, v & 0xffff);
}

ALWAYS_INLINE unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

ALWAYS_INLINE uint32_t be32(const uint8_t *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* atapi.c: ends of a command. */

void atapi_fail(struct ide_channel *c, enum sense_key key, uint8_t asc, uint8_t ascq);
void atapi_bad_field(struct ide_channel *c);
/* Replies with the first bytes of the buffer, as many as the host allows. */
void atapi_offer(struct ide_channel *c, uint32_t bytes, uint32_t allowed);
/* False (and the command has failed) when no disc can be read. */
bool atapi_ready(struct ide_channel *c);

/* atapi_read.c: commands. */
void atapi_read_sectors(struct ide_channel *c, uint32_t lba, uint32_t count);
void atapi_read_cd(struct ide_channel *c, const uint8_t *p, uint32_t lba, uint32_t count);
void atapi_read_cd_msf(struct ide_channel *c, const uint8_t *p);

/* atapi_disc.c: tracks; a disc without a layout is one track in mode 1. */

unsigned cd_track_count(const struct ide_unit *u);
/* Block number of track n, 1 and up; behind the last: of the lead-out. */
uint32_t cd_track_start(const struct ide_unit *u, unsigned n);
enum cd_mode cd_track_mode(const struct ide_unit *u, unsigned n);
/* The track that a block belongs to; its pregap is a part of it. */
unsigned cd_track_of(const struct ide_unit *u, uint32_t lba);
/*
 * The mode of all blocks of a range that lies on the disc; -1: there are several.  An empty range
 * has the mode of the block at lba.
 */
int cd_range_mode(const struct ide_unit *u, uint32_t lba, uint32_t count);

/* Commands. */
void atapi_read_toc(struct ide_channel *c, const uint8_t *p);
void atapi_read_subchannel(struct ide_channel *c, const uint8_t *p);
void atapi_read_header(struct ide_channel *c, const uint8_t *p);
void atapi_disc_information(struct ide_channel *c, const uint8_t *p);
void atapi_track_information(struct ide_channel *c, const uint8_t *p);
/* From a block, so many blocks; lba 0xffffffff: where the head is. */
void atapi_play(struct ide_channel *c, uint32_t lba, uint32_t count);
void atapi_play_msf(struct ide_channel *c, const uint8_t *p);
void atapi_pause(struct ide_channel *c, bool resume);

#endif
