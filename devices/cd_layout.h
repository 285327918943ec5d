/*
 * What is on a compact disc, where that is more than one track of data: block.h has a pointer to
 * it, the CD-ROM drive reads it.
 *
 * Such a back end keeps every frame whole: CD_RAW_SECTORS sectors of 512 bytes a frame, of which
 * the first CD_RAW bytes are the frame as ECMA-130 has it (synchronisation, header, user data, EDC
 * and ECC; all of it samples in audio tracks) and the rest is zero.
 */
#ifndef OXBOW_DEVICES_CD_LAYOUT_H
#define OXBOW_DEVICES_CD_LAYOUT_H

#include "memory/base.h"

enum { CD_RAW = 2352, CD_RAW_SECTORS = 5, CD_TRACKS = 99 };
enum { CD_FRAMES = 75, CD_LEAD_IN = 150 }; /* frames a second; frames before block 0 */
enum cd_mode { CD_AUDIO, CD_MODE1, CD_MODE2 };

struct cd_track {
    uint32_t gap;   /* block number where its pregap (index 0) starts; start when it has none */
    uint32_t start; /* of its index 1 */
    uint8_t mode;   /* enum cd_mode */
};

struct cd_layout {
    uint32_t frames; /* of the program area; the lead-out's block number */
    uint8_t tracks;  /* 1..CD_TRACKS */
    struct cd_track track[CD_TRACKS];
};

#endif
