/*
 * Task-file core shared by ide.c, ata.c and atapi.c; nobody else includes this.
 *
 * A channel runs at most one command at a time (enum ide_phase).  All its delays use one event;
 * what happens when it fires is a function of the phase.  Data goes through the channel's buffer in
 * chunks: [pos, block_end) is what the host moves before the next status change, [pos, len) what
 * the buffer holds or takes.
 */
#ifndef OXBOW_DEVICES_IDE_CORE_H
#define OXBOW_DEVICES_IDE_CORE_H

#include "devices/audio.h"
#include "devices/ide.h"

enum {
    ST_ERR = 0x01,
    ST_DRQ = 0x08,
    ST_DSC = 0x10,
    ST_DF = 0x20,
    ST_DRDY = 0x40,
    ST_BSY = 0x80
};

enum { ER_AMNF = 0x01, ER_ABRT = 0x04, ER_IDNF = 0x10, ER_UNC = 0x40 };

enum { DEV_UNIT = 0x10, DEV_LBA = 0x40 };

enum { CMD_DEVICE_RESET = 0x08, CMD_DIAGNOSE = 0x90, CMD_PACKET = 0xa0 };

enum ide_phase {
    IDE_IDLE,
    IDE_RESET,       /* BSY after SRST, DEVICE RESET or power on */
    IDE_EXECUTE,     /* BSY; the event looks at the command register */
    IDE_EXEC_PACKET, /* BSY; the event looks at the command packet */
    IDE_FINISH,      /* BSY; the event ends a command without data */
    IDE_HOST_READ,   /* BSY; a block read is under way, the event offers its data */
    IDE_HOST_WRITE,  /* BSY; a block write is under way */
    IDE_FLUSH,       /* BSY; a flush is under way */
    IDE_GAP_IN,      /* BSY between two DRQ blocks to the host */
    IDE_GAP_OUT,     /* BSY between two DRQ blocks from the host */
    IDE_PIO_IN,      /* DRQ: the host reads */
    IDE_PIO_OUT,     /* DRQ: the host writes */
    IDE_PACKET,      /* DRQ: the host writes a command packet */
    IDE_DMA_IN,      /* data waits for the bus master */
    IDE_DMA_OUT,     /* the drive waits for data of the bus master */
    IDE_PHASES
};

enum {
    IDE_SECTOR = 512,
    CD_SECTOR = 2048,
    CHUNK_SECTORS = 256,
    BUFFER_BYTES = CHUNK_SECTORS * IDE_SECTOR,
    /* The same of a CD in its own sectors; whole frames in five sectors each fit as well. */
    CHUNK_CD = 32
};

/* Virtual latencies in nanoseconds. */
enum {
    NS_COMMAND = 2000,   /* from the command register or packet to its effect */
    NS_GAP = 2000,       /* between DRQ blocks */
    NS_ACCESS = 60000,   /* an access somewhere on the medium */
    NS_SEQUENTIAL = 15000, /* the next sector after the last access: look-ahead has it */
    NS_PER_SECTOR = 1000,
    NS_RESET = 50000,
    NS_KICK = 500        /* from starting the bus master to its first cycle */
};

struct cd_state {
    uint8_t sense_key, asc, ascq;
    uint8_t attention; /* code of the UNIT ATTENTION that waits to be told; 0: none */
    bool tray_open;
    bool locked;
    uint8_t event;        /* what GET EVENT STATUS has to tell about the medium */
    uint8_t recovery[6];  /* mode page 01h as the host set it, without its header */
    uint8_t audio[14];    /* mode page 0Eh */
    uint8_t play;         /* audio status as READ SUB-CHANNEL tells; 0: nothing was played */
    uint32_t play_from, play_to; /* blocks; paused or at the end: where the head is */
    uint64_t play_since;  /* icount at play_from */
    uint8_t packet[12];
};

struct ide_unit {
    uint8_t kind; /* enum ide_kind */
    struct block *block;
    char serial[21];

    /* Registers: writes reach both units of a channel, results only the own. */
    uint8_t error, feature, count, sector, cyl_lo, cyl_hi;
    uint8_t hob_count, hob_sector, hob_cyl_lo, hob_cyl_hi;
    uint8_t status;
    bool intrq;

    uint64_t sectors; /* size in the unit's own sectors; 0: no medium */
    uint16_t def_cylinders, def_heads, def_spt;
    uint16_t cylinders, heads, spt; /* current translation; heads 0: none */
    uint8_t multiple;               /* sectors per DRQ block of the MULTIPLE commands, 0: off */
    uint8_t mode_mwdma, mode_udma;  /* selected mode + 1; 0: none */
    uint8_t power;                  /* as CHECK POWER MODE tells */
    bool write_cache, look_ahead, smart;
    uint64_t next_lba; /* after the last access */
    struct cd_state cd;
};

/* The audio output of a CD-ROM drive; nothing of it is state. */
struct cd_sound {
    struct ide_channel *channel;
    struct audio_input out;
    uint64_t heard; /* samples reported since play_since */
    struct block_req req;
    bool busy, held; /* the request is under way; frame holds block lba */
    uint32_t lba;
    uint8_t frame[2560];
};

struct ide_channel {
    struct device d;
    struct irq_line irq;
    struct ide_busmaster bm;
    int command_window, control_window;
    struct ide_unit unit[2];
    uint8_t select;  /* device register */
    uint8_t control; /* device control register */
    bool irq_level;

    /* The command under way. */
    uint8_t phase;  /* enum ide_phase */
    uint8_t active; /* unit number */
    uint8_t command;
    bool dma, ext;
    uint64_t lba;         /* of the first sector of the chunk */
    uint32_t left;        /* sectors still to move, those of the chunk among them */
    uint32_t chunk;       /* sectors in the buffer; 0: a reply that is no sectors */
    uint32_t block_bytes; /* size of a DRQ block */
    uint32_t pos, block_end, len;
    uint32_t raw;     /* READ CD: bytes per sector as the host gets them; 0: user data */
    uint8_t raw_parts; /* READ CD: which parts of the sector these are, and the sector type */
    uint8_t *buf;

    struct event event;
    char event_name[32];

    struct block_req req; /* its sector and count are saved; it is submitted again after a load */
    uint64_t host_sector;
    uint32_t host_count;
    bool req_busy;
    uint8_t req_error;
    bool holding;

    struct cd_sound sound[2];
};

ALWAYS_INLINE struct ide_unit *ide_active(struct ide_channel *c)
{
    return &c->unit[c->active];
}

/* ide.c */

/* BSY, and in ns nanoseconds the event of that phase. */
void ide_after(struct ide_channel *c, enum ide_phase phase, uint32_t ns);
void ide_raise(struct ide_channel *c); /* INTRQ of the active unit */
/* Ends the command with this status. */
void ide_end(struct ide_channel *c, uint8_t status, bool interrupt);
void ide_fail(struct ide_channel *c, uint8_t error);
/* Starts a request for `count` blocks of 512 bytes on the active unit's medium. */
void ide_host(struct ide_channel *c, enum ide_phase phase, uint64_t sector, uint32_t count,
              uint32_t ns);
/* Virtual time of an access; remembers where it ends. */
uint32_t ide_latency(struct ide_unit *u, uint64_t lba, uint32_t sectors);
/* Offers [0, len) of the buffer to the host, or asks it for that much. */
void ide_offer(struct ide_channel *c);
void ide_want(struct ide_channel *c, bool interrupt);
void ide_signature(struct ide_unit *u);
/* Text of an IDENTIFY block: two characters per word, padded with blanks. */
void ide_text(uint8_t *words, const char *text, unsigned len);
/* SET FEATURES 03h; false when there is no such mode. */
bool ide_set_mode(struct ide_unit *u, uint8_t value);
/* Words 63 and 88. */
void ide_put_modes(const struct ide_unit *u, uint8_t *words);

/* ata.c: disks.  The functions without text are the drive's part of what ide.c goes through. */
bool ata_init(struct ide_unit *u, const struct ide_unit_config *config, struct err *e);
void ata_reset(struct ide_unit *u);
void ata_command(struct ide_channel *c);
void ata_read_done(struct ide_channel *c); /* the chunk is in the buffer */
void ata_moved(struct ide_channel *c);     /* the host has taken the buffer */
void ata_filled(struct ide_channel *c);    /* the host has filled the buffer */
void ata_written(struct ide_channel *c);   /* the chunk is on the medium */
void ata_host_failed(struct ide_channel *c);

/* atapi.c: CD-ROM drives. */
void atapi_set_block(struct ide_unit *u, struct block *block);
void atapi_reset(struct ide_unit *u, bool power_on);
void atapi_command(struct ide_channel *c);
void atapi_packet(struct ide_channel *c);
void atapi_finish(struct ide_channel *c);
void atapi_read_done(struct ide_channel *c);
void atapi_moved(struct ide_channel *c);
void atapi_filled(struct ide_channel *c);
void atapi_host_failed(struct ide_channel *c);
/* Size of a disc in its own sectors. */
uint64_t atapi_frames(const struct block *block);
void atapi_stop_play(struct ide_channel *c, struct ide_unit *u);
/* Reports samples up to now (audio_set_render); ctx is a struct cd_sound. */
void atapi_render(void *ctx, uint64_t now);
/* After a state was loaded. */
void atapi_sound_loaded(struct ide_channel *c);
bool atapi_play_sane(const struct ide_unit *u);

#endif
