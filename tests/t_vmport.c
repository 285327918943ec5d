/*
 * The VMware backdoor port: version, pointer commands, packets, errors, snapshots, a storm; and on
 * a board, where a program's IN fills its registers and the PS/2 mouse interrupts.
 */
#include "devices/vmport.h"

#include "chip_rig.h"
#include "devices/machine.h"

#define PORT 0x5658
#define MAGIC 0x564d5868u
#define ENABLE 0x45414552u
#define DISABLE 0xf5u
#define ABSOLUTE 0x53424152u
#define RELATIVE 0x4c455252u
#define ID 0x3442554au

struct door {
    struct rig r;
    struct device *d;
    uint32_t reg[VMPORT_REGS];
    unsigned news;
};

static uint32_t get(void *ctx, enum vmport_reg r)
{
    return ((struct door *)ctx)->reg[r];
}

static void set(void *ctx, enum vmport_reg r, uint32_t v)
{
    ((struct door *)ctx)->reg[r] = v;
}

static void news(void *ctx)
{
    ((struct door *)ctx)->news++;
}

static void setup(struct door *p)
{
    struct vmport_config c = {PORT, get, set, news, p};

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    p->d = rig_add(&p->r, &vmport_class, "vmport", &c);
}

/* IN EAX, DX as a driver does it. */
static uint32_t command(struct door *p, uint32_t ecx, uint32_t ebx)
{
    memset(p->reg, 0x55, sizeof p->reg);
    p->reg[VMPORT_EAX] = MAGIC;
    p->reg[VMPORT_EBX] = ebx;
    p->reg[VMPORT_ECX] = ecx;
    p->reg[VMPORT_EDX] = PORT;
    p->reg[VMPORT_EAX] = (uint32_t)bus_read(p->r.env.io, PORT, 4);
    return p->reg[VMPORT_EAX];
}

enum { VERSION = 10, DATA = 39, STATUS = 40, COMMAND = 41, RESTRICT = 86 };

START_TEST(version)
{
    struct door p;

    setup(&p);
    ck_assert_uint_eq(command(&p, VERSION, ~MAGIC), 6);
    ck_assert_uint_eq(p.reg[VMPORT_EBX], MAGIC);
    ck_assert_uint_eq(p.reg[VMPORT_ECX], 2);
    /* The upper half of ECX does not count; unknown commands and other magic numbers are nobody. */
    ck_assert_uint_eq(command(&p, 0x70000 | VERSION, 0), 6);
    ck_assert_uint_eq(command(&p, 1, 0), 0xffffffff);
    p.reg[VMPORT_EAX] = MAGIC + 1;
    p.reg[VMPORT_ECX] = VERSION;
    ck_assert_uint_eq(bus_read(p.r.env.io, PORT, 4), 0xffffffff);
    rig_free(&p.r);
}
END_TEST

static void enable(struct door *p, uint32_t mode)
{
    ck_assert_uint_eq(command(p, COMMAND, ENABLE), 0);
    ck_assert_uint_eq(command(p, STATUS, 0), 1);
    ck_assert_uint_eq(command(p, DATA, 1), ID);
    ck_assert_uint_eq(command(p, STATUS, 0), 0);
    ck_assert_uint_eq(command(p, RESTRICT, 1), 0);
    ck_assert_uint_eq(command(p, COMMAND, mode), 0);
}

START_TEST(places)
{
    struct door p;

    setup(&p);
    vmport_place(p.d, 1, 1, 0, 1);
    ck_assert(!vmport_enabled(p.d) && !vmport_absolute(p.d));
    ck_assert_uint_eq(command(&p, STATUS, 0), 0);
    enable(&p, ABSOLUTE);
    ck_assert(vmport_enabled(p.d) && vmport_absolute(p.d));
    vmport_place(p.d, 0x1234, 0x18000, -1, 1);
    vmport_place(p.d, 0, 0xffff, 2, 6);
    ck_assert_uint_eq(p.news, 2);
    ck_assert_uint_eq(command(&p, STATUS, 0), 8);
    ck_assert_uint_eq(command(&p, DATA, 4), 0x20);
    ck_assert_uint_eq(p.reg[VMPORT_EBX], 0x1234);
    ck_assert_uint_eq(p.reg[VMPORT_ECX], 0xffff);
    ck_assert_uint_eq(p.reg[VMPORT_EDX], 0xffffffff);
    ck_assert_uint_eq(p.reg[VMPORT_ESI], 0x55555555);
    rig_round_trip(&p.r);
    ck_assert_uint_eq(command(&p, DATA, 4), 0x18);
    ck_assert_uint_eq(p.reg[VMPORT_EBX], 0);
    ck_assert_uint_eq(p.reg[VMPORT_EDX], 2);
    ck_assert_uint_eq(command(&p, STATUS, 0), 0);
    /* Not more places than the queue holds. */
    for (unsigned n = 0; n < 100; n++) {
        vmport_place(p.d, n, 0, 0, 0);
    }
    ck_assert_uint_eq(command(&p, STATUS, 0), 256);
    ck_assert_uint_eq(command(&p, DATA, 6), 0);
    ck_assert_uint_eq(p.reg[VMPORT_ESI], 0);
    ck_assert_uint_eq(p.reg[VMPORT_EDI], 1);
    rig_free(&p.r);
}
END_TEST

START_TEST(motion)
{
    struct door p;

    setup(&p);
    enable(&p, RELATIVE);
    ck_assert(vmport_enabled(p.d) && !vmport_absolute(p.d));
    vmport_place(p.d, 1, 1, 0, 1); /* not asked for */
    ck_assert_uint_eq(command(&p, STATUS, 0), 0);
    vmport_move(p.d, -3, 5, 0, 2);
    ck_assert_uint_eq(command(&p, DATA, 4), 0x10010);
    ck_assert_uint_eq(p.reg[VMPORT_EBX], (uint32_t)-3);
    ck_assert_uint_eq(p.reg[VMPORT_ECX], (uint32_t)-5); /* up is positive */
    rig_free(&p.r);
}
END_TEST

START_TEST(errors)
{
    struct door p;

    setup(&p);
    enable(&p, ABSOLUTE);
    vmport_place(p.d, 1, 2, 0, 0);
    ck_assert_uint_eq(command(&p, DATA, 5), 0xffffffff); /* more than there is */
    ck_assert_uint_eq(command(&p, STATUS, 0), 0xffff0000);
    ck_assert(!vmport_enabled(p.d));
    enable(&p, ABSOLUTE);
    ck_assert_uint_eq(command(&p, DATA, 0), 0xffffffff);
    enable(&p, ABSOLUTE);
    for (unsigned n = 0; n < 3; n++) {
        vmport_place(p.d, 1, 2, 0, 0);
    }
    ck_assert_uint_eq(command(&p, DATA, 7), 0xffffffff); /* more than there are registers */
    enable(&p, ABSOLUTE);
    command(&p, COMMAND, 0x12345); /* unknown: nothing happens */
    ck_assert(vmport_absolute(p.d));
    command(&p, COMMAND, DISABLE);
    ck_assert(!vmport_enabled(p.d));
    ck_assert_uint_eq(command(&p, STATUS, 0), 0xffff0000);
    command(&p, COMMAND, ABSOLUTE); /* not without enabling */
    ck_assert(!vmport_absolute(p.d));
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert_uint_eq(command(&p, STATUS, 0), 0);
    rig_free(&p.r);
}
END_TEST

/* A head or a count past the queue's end is refused. */
START_TEST(hostile_state)
{
    enum { HEAD = 256 * 4, COUNT = HEAD + 2 };
    static const struct {
        unsigned at, v;
        bool good;
    } row[] = {{HEAD, 255, true}, {HEAD, 256, false}, {COUNT, 256, true}, {COUNT, 257, false}};

    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        struct snap_writer w;
        struct snap_reader in;
        struct door p;
        struct err e = {""};

        setup(&p);
        snap_writer_init(&w);
        snap_begin(&w, "vmport", 1);
        size_t start = w.len;
        snap_put_fields(&w, p.d->cls->state, p.d);
        w.buf[start + row[n].at] = (uint8_t)row[n].v;
        w.buf[start + row[n].at + 1] = (uint8_t)(row[n].v >> 8);
        snap_end(&w);
        ck_assert(snap_reader_init(&in, w.buf, w.len, &e));
        ck_assert_int_eq(devices_load(&p.r.env, &in, &e), row[n].good);
        snap_writer_free(&w);
        rig_free(&p.r);
    }
}
END_TEST

START_TEST(storm)
{
    static const uint32_t code[] = {VERSION, DATA, STATUS, COMMAND, RESTRICT, 99};
    static const uint32_t operand[] = {ENABLE, DISABLE, ABSOLUTE, RELATIVE, 0, 1, 4, 6, 7, ID};
    struct door p;
    uint64_t seed = 7;

    setup(&p);
    for (unsigned n = 0; n < 20000; n++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        unsigned v = (unsigned)(seed >> 33);
        switch (v & 3) {
        case 0:
            vmport_place(p.d, v >> 4, v >> 8, (int8_t)v, v >> 12 & 7);
            break;
        case 1:
            vmport_move(p.d, (int)(v >> 4), -(int)(v >> 8), (int8_t)v, v >> 12 & 7);
            break;
        default:
            command(&p, code[(v >> 4) % ARRAY_LEN(code)], operand[(v >> 8) % ARRAY_LEN(operand)]);
            break;
        }
    }
    rig_round_trip(&p.r);
    rig_free(&p.r);
}
END_TEST

/*
 * A ROM that turns the PS/2 mouse's reports and the pointer on, waits for a report, fetches the
 * packet and leaves its words at 1000h, then EBP, which is nobody's.
 *
 *   mov al,0d4h / out 64h,al / (wait) / mov al,0f4h / out 60h,al
 *   mov eax,MAGIC / mov ebx,ENABLE / mov ecx,41 / mov dx,5658h / in eax,dx
 *   ... ABSOLUTE; then DATA of one word, and once bit 5 of port 64h shows a report DATA of four.
 */
static const uint8_t program[] = {
    0xfa, 0x31, 0xc0, 0x8e, 0xd8,                         /* cli; xor ax,ax; mov ds,ax */
    0xb0, 0xd4, 0xe6, 0x64,                               /* mov al,0d4h; out 64h,al */
    0xe4, 0x64, 0xa8, 0x02, 0x75, 0xfa,                   /* in al,64h; test al,2; jnz */
    0xb0, 0xf4, 0xe6, 0x60,                               /* mov al,0f4h; out 60h,al */
    0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa,                   /* in al,64h; test al,1; jz */
    0xe4, 0x60,                                           /* in al,60h: FA */
    0xba, 0x58, 0x56,                                     /* mov dx,5658h */
    0x66, 0xb8, 0x68, 0x58, 0x4d, 0x56,                   /* mov eax,MAGIC */
    0x66, 0xbb, 0x52, 0x45, 0x41, 0x45,                   /* mov ebx,ENABLE */
    0x66, 0xb9, 0x29, 0x00, 0x00, 0x00, 0x66, 0xed,       /* mov ecx,41; in eax,dx */
    0x66, 0xb8, 0x68, 0x58, 0x4d, 0x56,                   /* mov eax,MAGIC */
    0x66, 0xbb, 0x52, 0x41, 0x42, 0x53,                   /* mov ebx,ABSOLUTE */
    0x66, 0xed,                                           /* in eax,dx */
    0x66, 0xb8, 0x68, 0x58, 0x4d, 0x56,                   /* mov eax,MAGIC */
    0x66, 0xbb, 0x01, 0x00, 0x00, 0x00,                   /* mov ebx,1 */
    0x66, 0xb9, 0x27, 0x00, 0x00, 0x00, 0x66, 0xed,       /* mov ecx,39; in eax,dx */
    0x66, 0xa3, 0x00, 0x10,                               /* mov [1000h],eax */
    0xe4, 0x64, 0xa8, 0x20, 0x74, 0xfa,                   /* in al,64h; test al,20h; jz */
    0x66, 0xbd, 0x44, 0x33, 0x22, 0x11,                   /* mov ebp,11223344h */
    0x66, 0xb8, 0x68, 0x58, 0x4d, 0x56,                   /* mov eax,MAGIC */
    0x66, 0xbb, 0x04, 0x00, 0x00, 0x00,                   /* mov ebx,4 */
    0x66, 0xb9, 0x27, 0x00, 0x00, 0x00, 0x66, 0xed,       /* mov ecx,39; in eax,dx */
    0x66, 0xa3, 0x04, 0x10,                               /* mov [1004h],eax */
    0x66, 0x89, 0x1e, 0x08, 0x10, 0x66, 0x89, 0x0e, 0x0c, 0x10, /* ebx, ecx */
    0x66, 0x89, 0x16, 0x10, 0x10, 0x66, 0x89, 0x2e, 0x14, 0x10, /* edx, ebp */
    0xf4, 0xeb, 0xfd,                                     /* hlt; jmp */
};

static struct oxbow *board(bool without)
{
    static uint8_t rom[65536];
    struct oxbow_config cfg;
    struct err e = {""};

    memset(rom, 0xf4, sizeof rom);
    memcpy(rom, program, sizeof program);
    memcpy(rom + 0xfff0, "\xea\x00\x00\x00\xf0", 5); /* jmp F000:0000 */
    oxbow_config_init(&cfg);
    cfg.ram_mb = 2;
    cfg.bios = (struct oxbow_blob){rom, sizeof rom};
    cfg.no_vmport = without;
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    ck_assert_int_eq(oxbow_run(m, oxbow_ips(m) / 20), OXBOW_LIMIT);
    return m;
}

START_TEST(program_on_a_board)
{
    static const uint32_t want[] = {ID, 0x20, 0x8000, 0x4000, 0, 0x11223344};
    struct oxbow *m = board(false);

    ck_assert(oxbow_mouse_absolute(m));
    oxbow_mouse_place(m, 0x8000, 0x4000, 0, 1, 0);
    ck_assert_int_eq(oxbow_run(m, oxbow_ips(m) / 20), OXBOW_LIMIT);
    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        uint32_t v = (uint32_t)bus_read(m->mem, 0x1000 + n * 4, 4);
        ck_assert_msg(v == want[n], "word %u: %08x", n, (unsigned)v);
    }
    /* Motion goes to the PS/2 mouse while the driver wants places, and places to nobody else. */
    oxbow_mouse(m, 5, 0, 0, 0, 0);
    ck_assert_int_eq(oxbow_run(m, oxbow_ips(m) / 20), OXBOW_LIMIT);
    ck_assert_uint_eq(bus_read(m->io, 0x60, 1), 0x08); /* the report that said: news */
    oxbow_free(m);
}
END_TEST

START_TEST(switched_off)
{
    struct oxbow *m = board(true);

    ck_assert(!oxbow_mouse_absolute(m));
    ck_assert_uint_eq(bus_read(m->mem, 0x1000, 4), 0xffffffff);
    oxbow_mouse_place(m, 1, 1, 0, 1, 0); /* a click is one for the PS/2 mouse, too */
    ck_assert_int_eq(oxbow_run(m, oxbow_ips(m) / 20), OXBOW_LIMIT);
    ck_assert_uint_eq(bus_read(m->io, 0x60, 1), 0x09);
    oxbow_free(m);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, version);
    tcase_add_test(t, places);
    tcase_add_test(t, motion);
    tcase_add_test(t, errors);
    tcase_add_test(t, hostile_state);
    tcase_add_test(t, storm);
    tcase_add_test(t, program_on_a_board);
    tcase_add_test(t, switched_off);
}

int main(void)
{
    return rig_main("vmport", add);
}
