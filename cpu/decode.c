/* decode.c - the instruction decoder; see decode.h for the contract.
 *
 * Follows the SDM volume 2, chapter 2 (prefixes, ModR/M, SIB, displacement, immediate) and appendix
 * A (maps, groups, escapes). The map files are expanded at compile time into one array of rows and
 * small index arrays, so an opcode finds its row without a search: map1 by opcode, map0f by opcode,
 * mandatory prefix and mod, groups by reg, prefix and mod, the x87 escapes by reg or whole ModR/M.
 *
 * Order of verdicts, as the CPU's: bytes have to be fetched before they can be wrong, so a missing
 * byte (DEC_MORE) comes before #UD, and a 16th byte (DEC_TOO_LONG) before either.
 */
#include "cpu/decode.h"

#include <stddef.h>

/* How an operand cell finds its operand. */
enum method {
    OM_NONE,
    OM_E,        /* r/m: general register or memory */
    OM_M,        /* r/m: memory, register form reserved */
    OM_R,        /* r/m: general register whatever mod says */
    OM_G,        /* reg: general register */
    OM_S,        /* reg: segment register */
    OM_C,        /* reg: control register */
    OM_D,        /* reg: debug register */
    OM_T,        /* reg: test register */
    OM_P,        /* reg: MMX register */
    OM_Q,        /* r/m: MMX register or memory */
    OM_N,        /* r/m: MMX register, memory form reserved */
    OM_V,        /* reg: XMM register */
    OM_W,        /* r/m: XMM register or memory */
    OM_U,        /* r/m: XMM register, memory form reserved */
    OM_STI,      /* r/m: x87 register */
    OM_Z,        /* low opcode bits: general register */
    OM_REG,      /* fixed general register */
    OM_SEG,      /* fixed segment register */
    OM_ST0,
    OM_IMM,      /* immediate of the operand's size (4 bytes at most), zero- or sign-extended */
    OM_IMM64,    /* immediate of the full operand size */
    OM_SIMM8,    /* byte immediate, sign-extended to the operand size */
    OM_IMM2,     /* byte immediate into imm2 */
    OM_ONE,      /* the constant 1 */
    OM_REL8,
    OM_REL,
    OM_FAR,      /* immediate far pointer */
    OM_MOFFS,    /* memory at an immediate address */
    OM_X,        /* string source */
    OM_Y         /* string destination */
};

/* Operand sizes that depend on something; constant ones are their number of bytes, up to 16. */
enum {
    SZ_v = 0x80,  /* osize */
    SZ_z,         /* osize, 4 at most */
    SZ_y,         /* 8 with REX.W, else 4 */
    SZ_n,         /* 8 in CODE64, else 4: control and debug registers */
    SZ_vw,        /* register: osize; memory: 2 */
    SZ_dw,        /* register: 4; memory: 2 */
    SZ_a,         /* two times osize: BOUND */
    SZ_p,         /* far pointer: osize + 2 */
    SZ_s,         /* descriptor-table register: 6, in CODE64 10 */
    SZ_fe,        /* x87 environment: 14 or 28 */
    SZ_fs,        /* x87 state: 94 or 108 */
    SZ_fx         /* FXSAVE image: 512 */
};

/* Effective operand size of an instruction: constants as bytes, or one of these. */
enum {
    OS_HEAD = 0x40,  /* as the row that leads to this one */
    OS_v = SZ_v,
    OS_z = SZ_z,
    OS_y = SZ_y,
    OS_n = SZ_n
};

/* Every operand cell of the map files: O(cell, method, size, register, osize it implies or 0). */
#define OPERANDS(O) \
    O(__,   NONE,  0,     0, 0)    O(hd,   NONE,  0,     0, OS_HEAD) \
    O(Eb,   E,     1,     0, 1)    O(Ew,   E,     2,     0, 2)    O(Ed,   E,     4,     0, 4) \
    O(Ev,   E,     SZ_v,  0, OS_v) O(Ey,   E,     SZ_y,  0, OS_y) O(En,   E,     0,     0, OS_v) \
    O(RvMw, E,     SZ_vw, 0, OS_v) O(RdMw, E,     SZ_dw, 0, 4) \
    O(Gb,   G,     1,     0, 1)    O(Gw,   G,     2,     0, 2)    O(Gd,   G,     4,     0, 4) \
    O(Gv,   G,     SZ_v,  0, OS_v) O(Gy,   G,     SZ_y,  0, OS_y) O(Rn,   R,     SZ_n,  0, OS_n) \
    O(Sw,   S,     2,     0, 0)    O(Cn,   C,     SZ_n,  0, OS_n) O(Dn,   D,     SZ_n,  0, OS_n) \
    O(Td,   T,     4,     0, 4) \
    O(M,    M,     0,     0, 0)    O(Mb,   M,     1,     0, 0)    O(Mw,   M,     2,     0, 0) \
    O(Md,   M,     4,     0, 0)    O(Mq,   M,     8,     0, 0)    O(Mdq,  M,     16,    0, 0) \
    O(Mps,  M,     16,    0, 0)    O(Mpd,  M,     16,    0, 0)    O(Mt,   M,     10,    0, 0) \
    O(My,   M,     SZ_y,  0, 0)    O(Ma,   M,     SZ_a,  0, 0)    O(Mp,   M,     SZ_p,  0, 0) \
    O(Ms,   M,     SZ_s,  0, 0)    O(Mfe,  M,     SZ_fe, 0, 0)    O(Mfs,  M,     SZ_fs, 0, 0) \
    O(Mfx,  M,     SZ_fx, 0, 0) \
    O(Zb,   Z,     1,     0, 1)    O(Zv,   Z,     SZ_v,  0, OS_v) \
    O(AL,   REG,   1,     0, 1)    O(CL,   REG,   1,     1, 0)    O(AX,   REG,   2,     0, 2) \
    O(DX,   REG,   2,     2, 0)    O(eAX,  REG,   SZ_z,  0, OS_z) O(rAX,  REG,   SZ_v,  0, OS_v) \
    O(ES,   SEG,   2,     0, 0)    O(CS,   SEG,   2,     1, 0)    O(SS,   SEG,   2,     2, 0) \
    O(DS,   SEG,   2,     3, 0)    O(FS,   SEG,   2,     4, 0)    O(GS,   SEG,   2,     5, 0) \
    O(Ib,   IMM,   1,     0, 0)    O(Iw,   IMM,   2,     0, 0)    O(Iz,   IMM,   SZ_v,  0, 0) \
    O(Iv,   IMM64, SZ_v,  0, 0)    O(sIb,  SIMM8, SZ_v,  0, 0)    O(Ib2,  IMM2,  1,     0, 0) \
    O(I1,   ONE,   1,     0, 0) \
    O(Jb,   REL8,  SZ_v,  0, 0)    O(Jz,   REL,   SZ_v,  0, 0)    O(Ap,   FAR,   SZ_p,  0, 0) \
    O(Ob,   MOFFS, 1,     0, 1)    O(Ov,   MOFFS, SZ_v,  0, OS_v) \
    O(Xb,   X,     1,     0, 1)    O(Xv,   X,     SZ_v,  0, OS_v) O(Xz,   X,     SZ_z,  0, OS_z) \
    O(Yb,   Y,     1,     0, 1)    O(Yv,   Y,     SZ_v,  0, OS_v) O(Yz,   Y,     SZ_z,  0, OS_z) \
    O(ST0,  ST0,   10,    0, 0)    O(STi,  STI,   10,    0, 0) \
    O(Pq,   P,     8,     0, 8)    O(Ppi,  P,     8,     0, 8) \
    O(Qd,   Q,     4,     0, 8)    O(Qq,   Q,     8,     0, 8)    O(Qpi,  Q,     8,     0, 8) \
    O(Nq,   N,     8,     0, 8) \
    O(Vq,   V,     8,     0, 16)   O(Vdq,  V,     16,    0, 16)   O(Vps,  V,     16,    0, 16) \
    O(Vpd,  V,     16,    0, 16)   O(Vss,  V,     4,     0, 16)   O(Vsd,  V,     8,     0, 16) \
    O(Wq,   W,     8,     0, 16)   O(Wdq,  W,     16,    0, 16)   O(Wps,  W,     16,    0, 16) \
    O(Wpd,  W,     16,    0, 16)   O(Wss,  W,     4,     0, 16)   O(Wsd,  W,     8,     0, 16) \
    O(Uq,   U,     8,     0, 16)   O(Udq,  U,     16,    0, 16)   O(Ups,  U,     16,    0, 16) \
    O(Upd,  U,     16,    0, 16)

enum {
#define O(cell, method, size, reg, os) OC_##cell,
    OPERANDS(O)
#undef O
    OC_COUNT
};

enum {
#define O(cell, method, size, reg, os) IMPLIED_##cell = (os),
    OPERANDS(O)
#undef O
    IMPLIED_COUNT
};

enum {
#define O(cell, method, size, reg, os) MODRM_##cell = OM_##method >= OM_E && OM_##method <= OM_STI,
    OPERANDS(O)
#undef O
    MODRM_COUNT
};

struct operand_rule {
    uint8_t method, size, reg;
};

static const struct operand_rule operand_rules[OC_COUNT] = {
#define O(cell, method, size, reg, os) [OC_##cell] = { OM_##method, size, reg },
    OPERANDS(O)
#undef O
};

/* Groups by their number in the manual; 3 is split because TEST differs by width. */
enum {
    GRP_NONE,
    GRP_1, GRP_1A, GRP_2, GRP_3b, GRP_3v, GRP_4, GRP_5, GRP_6, GRP_7, GRP_8, GRP_9, GRP_11,
    GRP_12, GRP_13, GRP_14, GRP_15, GRP_16, GRP_P,
    GRP_COUNT,
    GRP_X87 = 0xD8  /* to 0xDF: an escape, the opcode itself */
};

/* Row numbers: every line of the map files in order, after one for all reserved encodings. */
#define ROW_0F(opc, pfx, mod)   ROW_2_##opc##_##pfx##_##mod
#define ROW_GRP(g, r, pfx, mod) ROW_G_##g##_##r##_##pfx##_##mod

enum row_number {
    ROW_UD,
#define P(opc)
#define T(opc)
#define X(opc, ...)      ROW_1_##opc,
#define H(opc, ...)      ROW_1_##opc,
#define E(opc)           ROW_1_##opc,
#define A(opc, tag, ...) ROW_1_##opc##_##tag,
#include "cpu/opmap.def"
#undef P
#undef T
#undef X
#undef H
#undef E
#undef A
#define X(opc, pfx, mod, ...) ROW_0F(opc, pfx, mod),
#define H(opc, ...)           ROW_0F(opc, __, __),
#define U(opc)
#include "cpu/opmap0f.def"
#undef X
#undef H
#undef U
#define X(g, r, pfx, mod, ...) ROW_GRP(g, r, pfx, mod),
#define A(g, r, tag, ...)      ROW_G_##g##_##r##_##tag,
#include "cpu/opgrp.def"
#undef X
#undef A
#define M(e, r, ...) ROW_FM_##e##_##r,
#define R(e, m, ...) ROW_FR_##e##_##m,
#define S(e, m, ...) ROW_FS_##e##_##m,
#define UM(e, r)
#define UR(e, m)
#define US(e, m)
#include "cpu/opx87.def"
#undef M
#undef R
#undef S
#undef UM
#undef UR
#undef US
    ROW_COUNT
};

/* Cells to constants. */
#define FL__      0
#define FL_A      DF_A
#define FL_C      DF_C
#define FL_O      DF_O
#define FL_P      DF_P
#define FL_S      DF_S
#define FL_Z      DF_Z
#define FL_AC     (DF_A | DF_C)
#define FL_OC     (DF_O | DF_C)
#define FL_OS     (DF_O | DF_S)
#define FL_ZC     (DF_Z | DF_C)
#define FL_OAC    (DF_O | DF_A | DF_C)
#define FL_OSZ    (DF_O | DF_S | DF_Z)
#define FL_SZP    (DF_S | DF_Z | DF_P)
#define FL_OSAP   (DF_O | DF_S | DF_A | DF_P)
#define FL_OSZP   (DF_O | DF_S | DF_Z | DF_P)
#define FL_SZAP   (DF_S | DF_Z | DF_A | DF_P)
#define FL_OSAPC  (DF_O | DF_S | DF_A | DF_P | DF_C)
#define FL_OSZAP  (DF_O | DF_S | DF_Z | DF_A | DF_P)
#define FL_OSZPC  (DF_O | DF_S | DF_Z | DF_P | DF_C)
#define FL_SZAPC  (DF_S | DF_Z | DF_A | DF_P | DF_C)
#define FL_OSZAPC DF_OSZAPC

#define AT___ 0u
#define ATTRS(...) ATTRS5(__VA_ARGS__, __, __, __, __, __)
#define ATTRS5(a, b, c, d, e, ...) (AT_##a | AT_##b | AT_##c | AT_##d | AT_##e)

#define PREFIX_ATTR___ 0u
#define PREFIX_ATTR_NP 0u
#define PREFIX_ATTR_66 0u
#define PREFIX_ATTR_F3 AT_MAND
#define PREFIX_ATTR_F2 AT_MAND

#define USES_MODRM(o1, o2, o3) (MODRM_##o1 || MODRM_##o2 || MODRM_##o3)
#define OSIZE_OF(o1, o2) (IMPLIED_##o1 ? IMPLIED_##o1 : IMPLIED_##o2 ? IMPLIED_##o2 : OS_v)
#define ROW(opn, o1, o2, o3, grp, fr, fw, fu, feat, at) {                        \
        .op = (opn), .operand = { OC_##o1, OC_##o2, OC_##o3 },                   \
        .osize = OSIZE_OF(o1, o2), .feature = FT_##feat, .group = (grp),         \
        .fl_read = FL_##fr, .fl_write = FL_##fw, .fl_undef = FL_##fu,            \
        .attr = (at) | (USES_MODRM(o1, o2, o3) || (grp) ? AT_MODRM : 0u) }

static const struct oprow rows[ROW_COUNT] = {
    [ROW_UD] = ROW(OP_INVALID, hd, __, __, GRP_NONE, _, _, _, 386, 0u),
#define P(opc)
#define T(opc)
#define X(opc, opn, o1, o2, o3, fr, fw, fu, feat, ...) \
    [ROW_1_##opc] = ROW(OP_##opn, o1, o2, o3, GRP_NONE, fr, fw, fu, feat, ATTRS(__VA_ARGS__)),
#define H(opc, g, o1, o2, o3, ...) \
    [ROW_1_##opc] = ROW(OP_INVALID, o1, o2, o3, GRP_##g, _, _, _, 386, ATTRS(__VA_ARGS__)),
#define E(opc) \
    [ROW_1_##opc] = ROW(OP_INVALID, __, __, __, 0x##opc, _, _, _, FPU, 0u),
#define A(opc, tag, opn, o1, o2, o3, fr, fw, fu, feat, ...) \
    [ROW_1_##opc##_##tag] = \
        ROW(OP_##opn, o1, o2, o3, GRP_NONE, fr, fw, fu, feat, ATTRS(__VA_ARGS__)),
#include "cpu/opmap.def"
#undef P
#undef T
#undef X
#undef H
#undef E
#undef A
#define X(opc, pfx, mod, opn, o1, o2, o3, fr, fw, fu, feat, ...) \
    [ROW_0F(opc, pfx, mod)] = ROW(OP_##opn, o1, o2, o3, GRP_NONE, fr, fw, fu, feat, \
                                  PREFIX_ATTR_##pfx | ATTRS(__VA_ARGS__)),
#define H(opc, g, o1, o2, o3, ...) \
    [ROW_0F(opc, __, __)] = \
        ROW(OP_INVALID, o1, o2, o3, GRP_##g, _, _, _, 386, ATTRS(__VA_ARGS__)),
#define U(opc)
#include "cpu/opmap0f.def"
#undef X
#undef H
#undef U
#define X(g, r, pfx, mod, opn, o1, o2, o3, fr, fw, fu, feat, ...) \
    [ROW_GRP(g, r, pfx, mod)] = ROW(OP_##opn, o1, o2, o3, GRP_NONE, fr, fw, fu, feat, \
                                    PREFIX_ATTR_##pfx | ATTRS(__VA_ARGS__)),
#define A(g, r, tag, opn, o1, o2, o3, fr, fw, fu, feat, ...) \
    [ROW_G_##g##_##r##_##tag] = \
        ROW(OP_##opn, o1, o2, o3, GRP_NONE, fr, fw, fu, feat, ATTRS(__VA_ARGS__)),
#include "cpu/opgrp.def"
#undef X
#undef A
#define M(e, r, opn, o1, o2, fr, fw, feat, ...) \
    [ROW_FM_##e##_##r] = \
        ROW(OP_##opn, o1, o2, __, GRP_NONE, fr, fw, _, feat, AT_FPU | ATTRS(__VA_ARGS__)),
#define R(e, m, opn, o1, o2, fr, fw, feat, ...) \
    [ROW_FR_##e##_##m] = \
        ROW(OP_##opn, o1, o2, __, GRP_NONE, fr, fw, _, feat, AT_FPU | ATTRS(__VA_ARGS__)),
#define S(e, m, opn, o1, o2, fr, fw, feat, ...) \
    [ROW_FS_##e##_##m] = \
        ROW(OP_##opn, o1, o2, __, GRP_NONE, fr, fw, _, feat, AT_FPU | ATTRS(__VA_ARGS__)),
#define UM(e, r)
#define UR(e, m)
#define US(e, m)
#include "cpu/opx87.def"
#undef M
#undef R
#undef S
#undef UM
#undef UR
#undef US
};

/* Text, not pointers to it: tables of pointers would need relocation in a shared library. */
static const char row_names[ROW_COUNT][16] = {
    [ROW_UD] = "reserved",
#define P(opc)
#define T(opc)
#define X(opc, ...)      [ROW_1_##opc] = #opc,
#define H(opc, g, ...)   [ROW_1_##opc] = #opc " group " #g,
#define E(opc)           [ROW_1_##opc] = #opc " escape",
#define A(opc, tag, ...) [ROW_1_##opc##_##tag] = #opc " " #tag,
#include "cpu/opmap.def"
#undef P
#undef T
#undef X
#undef H
#undef E
#undef A
#define X(opc, pfx, mod, ...) [ROW_0F(opc, pfx, mod)] = "0F" #opc " " #pfx " " #mod,
#define H(opc, g, ...)        [ROW_0F(opc, __, __)] = "0F" #opc " group " #g,
#define U(opc)
#include "cpu/opmap0f.def"
#undef X
#undef H
#undef U
#define X(g, r, pfx, mod, ...) [ROW_GRP(g, r, pfx, mod)] = "G" #g "/" #r " " #pfx " " #mod,
#define A(g, r, tag, ...)      [ROW_G_##g##_##r##_##tag] = "G" #g "/" #r " " #tag,
#include "cpu/opgrp.def"
#undef X
#undef A
#define M(e, r, ...) [ROW_FM_##e##_##r] = #e "/" #r,
#define R(e, m, ...) [ROW_FR_##e##_##m] = #e " " #m "+i",
#define S(e, m, ...) [ROW_FS_##e##_##m] = #e " " #m,
#define UM(e, r)
#define UR(e, m)
#define US(e, m)
#include "cpu/opx87.def"
#undef M
#undef R
#undef S
#undef UM
#undef UR
#undef US
};

static const uint8_t is_prefix[256] = {
#define P(opc) [0x##opc] = 1,
#define T(opc)
#define X(opc, ...)
#define H(opc, ...)
#define E(opc)
#define A(opc, ...)
#include "cpu/opmap.def"
#undef P
#undef T
#undef X
#undef H
#undef E
#undef A
};

static const uint16_t map1[256] = {
#define P(opc)
#define T(opc)
#define X(opc, ...) [0x##opc] = ROW_1_##opc,
#define H(opc, ...) [0x##opc] = ROW_1_##opc,
#define E(opc)      [0x##opc] = ROW_1_##opc,
#define A(opc, ...)
#include "cpu/opmap.def"
#undef P
#undef T
#undef X
#undef H
#undef E
#undef A
};

/* Exactly one line per opcode: 256 lines, and a second for the same would repeat an enumerator. */
_Static_assert(0
#define P(opc)      + 1
#define T(opc)      + 1
#define X(opc, ...) + 1
#define H(opc, ...) + 1
#define E(opc)      + 1
#define A(opc, ...)
#include "cpu/opmap.def"
#undef P
#undef T
#undef X
#undef H
#undef E
#undef A
    == 256, "opmap.def must have one line for every opcode");

/* Mandatory prefixes as the second index of map0f and the groups. */
enum { PFX_NONE, PFX_OPSIZE, PFX_REPE, PFX_REPNE, PFX_COUNT };

#define FILL_MOD___(key, p, row) key[p][0] = (row), key[p][1] = (row)
#define FILL_MOD_M(key, p, row)  key[p][0] = (row)
#define FILL_MOD_R(key, p, row)  key[p][1] = (row)
#define FILL_NP(key, mod, row)   FILL_MOD_##mod(key, PFX_NONE, row)
#define FILL_66(key, mod, row)   FILL_MOD_##mod(key, PFX_OPSIZE, row)
#define FILL_F3(key, mod, row)   FILL_MOD_##mod(key, PFX_REPE, row)
#define FILL_F2(key, mod, row)   FILL_MOD_##mod(key, PFX_REPNE, row)
#define FILL___(key, mod, row) \
    FILL_MOD_##mod(key, PFX_NONE, row), FILL_MOD_##mod(key, PFX_OPSIZE, row), \
    FILL_MOD_##mod(key, PFX_REPE, row), FILL_MOD_##mod(key, PFX_REPNE, row)

static const uint16_t map0f[256][PFX_COUNT][2] = {
#define X(opc, pfx, mod, ...) FILL_##pfx([0x##opc], mod, ROW_0F(opc, pfx, mod)),
#define H(opc, ...)           FILL___([0x##opc], __, ROW_0F(opc, __, __)),
#define U(opc)
#include "cpu/opmap0f.def"
#undef X
#undef H
#undef U
};

/* Bit sets over the two-byte opcodes in words of 64: which have a line, which a ModR/M byte. */
#define IN_WORD(opc, w) ((uint64_t)((opc) >> 6 == (w)) << ((opc) & 63))
#define X(opc, ...) | IN_WORD(0x##opc, MAP_WORD)
#define H(opc, ...) | IN_WORD(0x##opc, MAP_WORD)
#define U(opc)      | IN_WORD(0x##opc, MAP_WORD)
#define MAP_WORD 0
_Static_assert((0
#include "cpu/opmap0f.def"
    ) == UINT64_MAX, "opmap0f.def lacks a line for an opcode in 00-3F");
#undef MAP_WORD
#define MAP_WORD 1
_Static_assert((0
#include "cpu/opmap0f.def"
    ) == UINT64_MAX, "opmap0f.def lacks a line for an opcode in 40-7F");
#undef MAP_WORD
#define MAP_WORD 2
_Static_assert((0
#include "cpu/opmap0f.def"
    ) == UINT64_MAX, "opmap0f.def lacks a line for an opcode in 80-BF");
#undef MAP_WORD
#define MAP_WORD 3
_Static_assert((0
#include "cpu/opmap0f.def"
    ) == UINT64_MAX, "opmap0f.def lacks a line for an opcode in C0-FF");
#undef MAP_WORD
#undef X
#undef U

#define X(opc, pfx, mod, opn, o1, o2, o3, ...) \
    | (USES_MODRM(o1, o2, o3) ? IN_WORD(0x##opc, MAP_WORD) : 0)
#define U(opc)
static const uint64_t map0f_modrm[4] = {
#define MAP_WORD 0
    0
#include "cpu/opmap0f.def"
#undef MAP_WORD
#define MAP_WORD 1
    , 0
#include "cpu/opmap0f.def"
#undef MAP_WORD
#define MAP_WORD 2
    , 0
#include "cpu/opmap0f.def"
#undef MAP_WORD
#define MAP_WORD 3
    , 0
#include "cpu/opmap0f.def"
#undef MAP_WORD
};
#undef X
#undef H
#undef U

static const uint16_t groups[GRP_COUNT][8][PFX_COUNT][2] = {
#define X(g, r, pfx, mod, ...) FILL_##pfx([GRP_##g][r], mod, ROW_GRP(g, r, pfx, mod)),
#define A(g, ...)
#include "cpu/opgrp.def"
#undef X
#undef A
};

static const uint16_t x87_memory[8][8] = {
#define M(e, r, ...) [0x##e - 0xD8][r] = ROW_FM_##e##_##r,
#define R(e, m, ...)
#define S(e, m, ...)
#define UM(e, r)
#define UR(e, m)
#define US(e, m)
#include "cpu/opx87.def"
#undef M
#undef R
#undef S
};

#define X87_SLOT(e, m, row) [0x##e - 0xD8][0x##m - 0xC0 + (row)]
static const uint16_t x87_register[8][64] = {
#define M(e, r, ...)
#define R(e, m, ...) \
    X87_SLOT(e, m, 0) = ROW_FR_##e##_##m, X87_SLOT(e, m, 1) = ROW_FR_##e##_##m, \
    X87_SLOT(e, m, 2) = ROW_FR_##e##_##m, X87_SLOT(e, m, 3) = ROW_FR_##e##_##m, \
    X87_SLOT(e, m, 4) = ROW_FR_##e##_##m, X87_SLOT(e, m, 5) = ROW_FR_##e##_##m, \
    X87_SLOT(e, m, 6) = ROW_FR_##e##_##m, X87_SLOT(e, m, 7) = ROW_FR_##e##_##m,
#define S(e, m, ...) X87_SLOT(e, m, 0) = ROW_FS_##e##_##m,
#include "cpu/opx87.def"
#undef M
#undef R
#undef S
#undef UM
#undef UR
#undef US
};

_Static_assert(0
#define M(e, r, ...) + 1
#define R(e, m, ...) + 8
#define S(e, m, ...) + 1
#define UM(e, r)     + 1
#define UR(e, m)     + 8
#define US(e, m)     + 1
#include "cpu/opx87.def"
#undef M
#undef R
#undef S
#undef UM
#undef UR
#undef US
    == 8 * (8 + 64), "opx87.def must cover every form of every escape");

/* Everything known about the instruction while its bytes are read. */
struct cursor {
    const uint8_t *bytes;
    unsigned pos, limit;
    enum code_size code;
    uint8_t opcode, modrm, rex;
    bool opsize, adsize;  /* 66h, 67h seen */
    uint8_t rep;          /* last of F2, F3 */
    uint8_t seg;          /* override that counts, or REG_NONE */
    bool has_modrm;
    bool reg_form;        /* mod = 3 */
    bool wrong;           /* #UD once all bytes are there */
};

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

static enum decode_status out_of_bytes(const struct cursor *c)
{
    return c->limit == DECODE_MAX_LEN ? DEC_TOO_LONG : DEC_MORE;
}

/* Little-endian value of the next n bytes; false when they are not there. */
static bool fetch(struct cursor *c, unsigned n, uint64_t *value)
{
    uint64_t v = 0;

    if (c->limit - c->pos < n) {
        c->pos = c->limit;
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        v |= (uint64_t)c->bytes[c->pos + i] << (8 * i);
    }
    c->pos += n;
    *value = v;
    return true;
}

static int64_t sign_extend(uint64_t v, unsigned nbytes)
{
    unsigned shift = 64 - 8 * nbytes;

    v <<= shift;
    return v >> 63 ? (int64_t)~(~v >> shift) : (int64_t)(v >> shift);
}

static uint64_t truncate_to(uint64_t v, unsigned nbytes)
{
    return nbytes >= 8 ? v : v & ((UINT64_C(1) << (8 * nbytes)) - 1);
}

static void take_prefix(struct cursor *c, uint8_t b, struct decoded *out)
{
    switch (b) {
    case 0x26: case 0x2E: case 0x36: case 0x3E:
        if (c->code != CODE64) {
            c->seg = (b >> 3) & 3;
        }
        break;
    case 0x64: case 0x65:
        c->seg = (uint8_t)(SEG_FS + (b & 1));
        break;
    case 0x66:
        c->opsize = true;
        break;
    case 0x67:
        c->adsize = true;
        break;
    case 0xF0:
        out->lock = true;
        break;
    case 0xF2:
        c->rep = REP_F2;
        break;
    default:
        c->rep = REP_F3;
        break;
    }
}

/* Prefixes and the first opcode byte. REX counts only directly ahead of the opcode. */
static enum decode_status read_opcode(struct cursor *c, struct decoded *out)
{
    uint8_t b;

    for (;;) {
        if (c->pos == c->limit) {
            return out_of_bytes(c);
        }
        b = c->bytes[c->pos++];
        if (is_prefix[b]) {
            c->rex = 0;
            take_prefix(c, b, out);
        } else if (c->code == CODE64 && (b & 0xF0) == 0x40) {
            c->rex = b;
        } else {
            break;
        }
        out->nprefix++;
    }
    c->opcode = b;
    return DEC_OK;
}

/* 16-bit addressing forms: base and index by r/m. */
static const uint8_t base16[8] = {
    REG_BX, REG_BX, REG_BP, REG_BP, REG_SI, REG_DI, REG_BP, REG_BX
};
static const uint8_t index16[8] = {
    REG_SI, REG_DI, REG_SI, REG_DI, REG_NONE, REG_NONE, REG_NONE, REG_NONE
};

static bool read_displacement(struct cursor *c, unsigned n, struct decoded *out)
{
    uint64_t v;

    if (!fetch(c, n, &v)) {
        return false;
    }
    out->disp = sign_extend(v, n);
    return true;
}

static bool read_memory16(struct cursor *c, struct decoded *out)
{
    unsigned mod = c->modrm >> 6, rm = c->modrm & 7;

    if (mod == 0 && rm == 6) {
        return read_displacement(c, 2, out);
    }
    out->base = base16[rm];
    out->index = index16[rm];
    if (out->base == REG_BP) {
        out->seg = SEG_SS;
    }
    return mod == 0 || read_displacement(c, mod, out);
}

/* 32- and 64-bit addressing: optional SIB, optional displacement. */
static bool read_memory32(struct cursor *c, struct decoded *out)
{
    unsigned mod = c->modrm >> 6, base = c->modrm & 7;

    if (base == 4) {
        uint64_t sib;
        unsigned index;

        if (!fetch(c, 1, &sib)) {
            return false;
        }
        index = (sib >> 3 & 7) | (c->rex & REX_X ? 8 : 0);
        if (index != 4) {
            out->index = (uint8_t)index;
            out->scale = (uint8_t)(sib >> 6);
        }
        base = sib & 7;
        if (base == 5 && mod == 0) {
            return read_displacement(c, 4, out);
        }
    } else if (base == 5 && mod == 0) {
        if (c->code == CODE64) {
            out->base = REG_RIP;
        }
        return read_displacement(c, 4, out);
    }
    out->base = (uint8_t)(base | (c->rex & REX_B ? 8 : 0));
    if (out->base == REG_SP || out->base == REG_BP) {
        out->seg = SEG_SS;
    }
    return mod == 0 || read_displacement(c, mod == 1 ? 1 : 4, out);
}

/* F2 and F3 outrank 66. */
static unsigned mandatory_prefix(const struct cursor *c)
{
    if (c->rep != REP_NONE) {
        return c->rep == REP_F3 ? PFX_REPE : PFX_REPNE;
    }
    return c->opsize ? PFX_OPSIZE : PFX_NONE;
}

/* The line of a group or escape that applies, from the row the opcode itself has. */
static unsigned row_by_modrm(const struct cursor *c, unsigned head)
{
    unsigned group = rows[head].group, reg = c->modrm >> 3 & 7;

    if (group >= GRP_X87) {
        return c->reg_form ? x87_register[group - GRP_X87][c->modrm & 0x3F]
                           : x87_memory[group - GRP_X87][reg];
    }
    return groups[group][reg][mandatory_prefix(c)][c->reg_form];
}

/* The few lines that a prefix, the mode or the r/m field exchanges for another (ALT, A lines). */
static unsigned row_variant(const struct cursor *c, unsigned row)
{
    switch (row) {
    case ROW_1_63:
        return c->code == CODE64 ? ROW_1_63_C64 : row;
    case ROW_1_90:
        return c->rex & REX_B ? ROW_1_90_RB : c->rep == REP_F3 ? ROW_1_90_F3 : row;
    case ROW_GRP(7, 1, __, R):
        return (c->modrm & 7) == 0 ? row : (c->modrm & 7) == 1 ? ROW_G_7_1_RM1 : ROW_UD;
    case ROW_GRP(7, 7, __, R):
        return (c->modrm & 7) == 0 ? row : ROW_UD;
    default: /* CMPXCHG8B */
        return c->rex & REX_W ? ROW_G_9_1_W : row;
    }
}

static unsigned address_size(const struct cursor *c)
{
    switch (c->code) {
    case CODE16:
        return c->adsize ? 4 : 2;
    case CODE32:
        return c->adsize ? 2 : 4;
    default:
        return c->adsize ? 4 : 8;
    }
}

/* The size that v stands for. */
static unsigned operand_size(const struct cursor *c, uint32_t attr)
{
    if (c->code != CODE64) {
        return (c->code == CODE32) != c->opsize ? 4 : 2;
    }
    if (attr & AT_F64 || c->rex & REX_W) {
        return 8;
    }
    return c->opsize ? 2 : attr & AT_D64 ? 8 : 4;
}

/* Bytes of a size rule; v is the operand size. */
static unsigned size_in_bytes(const struct cursor *c, unsigned rule, unsigned v)
{
    if (rule <= SZ_v) {
        return rule == SZ_v ? v : rule;
    }
    switch (rule) {
    case SZ_z:
        return v == 8 ? 4 : v;
    case SZ_y:
        return c->rex & REX_W ? 8 : 4;
    case SZ_n:
        return c->code == CODE64 ? 8 : 4;
    case SZ_vw:
        return c->reg_form ? v : 2;
    case SZ_dw:
        return c->reg_form ? 4 : 2;
    case SZ_a:
        return 2 * v;
    case SZ_p:
        return v + 2;
    case SZ_s:
        return c->code == CODE64 ? 10 : 6;
    case SZ_fe:
        return v == 2 ? 14 : 28;
    case SZ_fs:
        return v == 2 ? 94 : 108;
    default: /* SZ_fx */
        return 512;
    }
}

static bool valid_control_register(const struct cursor *c, unsigned reg)
{
    return reg == 0 || (reg >= 2 && reg <= 4) || (reg == 8 && c->code == CODE64);
}

static void register_operand(struct operand *o, enum operand_kind kind, unsigned reg)
{
    o->kind = (uint8_t)kind;
    o->reg = (uint8_t)reg;
}

/* Operands named by the r/m field. */
static void rm_operand(struct cursor *c, unsigned method, struct operand *o)
{
    unsigned rm = c->modrm & 7, wide = rm | (c->rex & REX_B ? 8 : 0);

    if (!c->reg_form) {
        o->kind = OK_MEM;
        c->wrong |= method == OM_N || method == OM_U;
        return;
    }
    switch (method) {
    case OM_E:
    case OM_R:
        register_operand(o, OK_REG, wide);
        break;
    case OM_Q:
    case OM_N:
        register_operand(o, OK_MM, rm);
        break;
    case OM_W:
    case OM_U:
        register_operand(o, OK_XMM, wide);
        break;
    case OM_STI:
        register_operand(o, OK_ST, rm);
        break;
    default: /* OM_M */
        c->wrong = true;
        break;
    }
}

/* Operands named by the reg field. */
static void reg_operand(struct cursor *c, unsigned method, struct operand *o)
{
    unsigned reg = c->modrm >> 3 & 7, wide = reg | (c->rex & REX_R ? 8 : 0);

    switch (method) {
    case OM_G:
        register_operand(o, OK_REG, wide);
        break;
    case OM_S:
        register_operand(o, OK_SREG, reg);
        c->wrong |= reg > SEG_GS;
        break;
    case OM_C:
        register_operand(o, OK_CR, wide);
        c->wrong |= !valid_control_register(c, wide);
        break;
    case OM_D:
        register_operand(o, OK_DR, wide);
        c->wrong |= wide > 7;
        break;
    case OM_T:
        register_operand(o, OK_TR, reg);
        c->wrong |= reg < 3;
        break;
    case OM_P:
        register_operand(o, OK_MM, reg);
        break;
    default: /* OM_V */
        register_operand(o, OK_XMM, wide);
        break;
    }
}

/* Operands that are bytes after the address. False when bytes are missing. */
static bool immediate_operand(struct cursor *c, unsigned method, struct operand *o,
                              struct decoded *out)
{
    uint64_t v;
    unsigned n;

    switch (method) {
    case OM_IMM:
        n = o->size == 8 ? 4 : o->size;
        if (!fetch(c, n, &v)) {
            return false;
        }
        o->kind = OK_IMM;
        out->imm = truncate_to((uint64_t)sign_extend(v, n), o->size);
        out->imm_bytes = (uint8_t)n;
        return true;
    case OM_IMM64:
        o->kind = OK_IMM;
        out->imm_bytes = (uint8_t)o->size;
        return fetch(c, o->size, &out->imm);
    case OM_SIMM8:
        if (!fetch(c, 1, &v)) {
            return false;
        }
        o->kind = OK_IMM;
        out->imm = truncate_to((uint64_t)sign_extend(v, 1), o->size);
        return true;
    case OM_REL8:
    case OM_REL:
        n = method == OM_REL8 ? 1 : o->size == 8 ? 4 : o->size;
        if (!fetch(c, n, &v)) {
            return false;
        }
        o->kind = OK_REL;
        out->imm = (uint64_t)sign_extend(v, n);
        return true;
    case OM_FAR:
        if (!fetch(c, o->size - 2u, &out->imm) || !fetch(c, 2, &v)) {
            return false;
        }
        o->kind = OK_FARPTR;
        out->imm2 = (uint32_t)v;
        return true;
    case OM_IMM2:
        if (!fetch(c, 1, &v)) {
            return false;
        }
        o->kind = OK_IMM;
        out->imm2 = (uint32_t)v;
        return true;
    default: /* OM_MOFFS */
        if (!fetch(c, out->asize, &v)) {
            return false;
        }
        o->kind = OK_MEM;
        out->has_mem = true;
        out->disp = sign_extend(v, out->asize);
        return true;
    }
}

static bool read_operand(struct cursor *c, const struct operand_rule *rule, unsigned v,
                         struct operand *o, struct decoded *out)
{
    o->size = (uint16_t)size_in_bytes(c, rule->size, v);
    switch (rule->method) {
    case OM_E: case OM_M: case OM_R: case OM_Q: case OM_N: case OM_W: case OM_U: case OM_STI:
        rm_operand(c, rule->method, o);
        return true;
    case OM_G: case OM_S: case OM_C: case OM_D: case OM_T: case OM_P: case OM_V:
        reg_operand(c, rule->method, o);
        return true;
    case OM_Z:
        register_operand(o, OK_REG, (c->opcode & 7u) | (c->rex & REX_B ? 8 : 0));
        return true;
    case OM_REG:
        register_operand(o, OK_REG, rule->reg);
        return true;
    case OM_SEG:
        register_operand(o, OK_SREG, rule->reg);
        return true;
    case OM_ST0:
        register_operand(o, OK_ST, 0);
        return true;
    case OM_ONE:
        o->kind = OK_IMM;
        out->imm = 1;
        return true;
    case OM_X:
        o->kind = OK_STRING_SRC;
        return true;
    case OM_Y:
        o->kind = OK_STRING_DST;
        return true;
    default:
        return immediate_operand(c, rule->method, o, out);
    }
}

/* Flag masks. A shift's count and a repeat count decide whether flags are written at all; OF after
 * a shift or rotate by more than 1 is undefined. */
static void set_flags(const struct oprow *row, struct decoded *out)
{
    out->fl_read = row->fl_read;
    out->fl_write = row->fl_write;
    out->fl_undef = row->fl_undef;
    if (row->attr & AT_COUNT) {
        const struct operand *count = &out->o[out->noperands - 1];

        if (count->kind != OK_IMM) {
            out->fl_may = out->fl_write;
            out->fl_write = 0;
            out->fl_undef |= DF_O;
        } else if ((out->imm & (out->osize == 8 ? 63 : 31)) == 0) {
            out->fl_write = 0;
            out->fl_undef = 0;
        } else if ((out->imm & (out->osize == 8 ? 63 : 31)) > 1) {
            out->fl_write &= (uint16_t)~DF_O;
            out->fl_undef |= DF_O;
        }
    } else if (row->attr & AT_REP && out->rep) {
        out->fl_may = out->fl_write;
        out->fl_write = 0;
    }
}

/* What depends on operands: legality of LOCK and MOV CS, alignment, MOV SS. */
static void check_operands(struct cursor *c, struct decoded *out)
{
    const struct operand *dst = &out->o[0];

    if (out->lock && !(out->attr & AT_LOCK && dst->kind == OK_MEM)) {
        c->wrong = true;
    }
    if (out->op == OP_MOV_SREG && dst->kind == OK_SREG) {
        if (dst->reg == SEG_CS) {
            c->wrong = true;
        } else if (dst->reg == SEG_SS) {
            out->attr |= AT_END;
        }
    }
    if (out->has_mem && !(out->attr & AT_UNAL)
        && (out->attr & (AT_SSE | AT_FPU) || out->op == OP_CMPXCHG16B)) {
        for (unsigned i = 0; i < out->noperands; i++) {
            if (out->o[i].kind == OK_MEM && (out->o[i].size == 16 || out->o[i].size == 512)) {
                out->attr |= AT_ALIGN16;
            }
        }
    }
}

/* From the opcode to the row that describes the instruction: second opcode byte, ModR/M, group.
 * *head is the row of the opcode itself, whose operands a group line may inherit. */
static enum decode_status find_row(struct cursor *c, unsigned *head, unsigned *row)
{
    bool two_byte = c->opcode == 0x0F;

    if (two_byte) {
        if (c->pos == c->limit) {
            return out_of_bytes(c);
        }
        c->opcode = c->bytes[c->pos++];
        c->has_modrm = map0f_modrm[c->opcode >> 6] >> (c->opcode & 63) & 1;
    } else {
        c->has_modrm = rows[map1[c->opcode]].attr & AT_MODRM;
    }
    if (c->has_modrm) {
        if (c->pos == c->limit) {
            return out_of_bytes(c);
        }
        c->modrm = c->bytes[c->pos++];
        c->reg_form = c->modrm >= 0xC0;
    }
    *head = two_byte ? map0f[c->opcode][mandatory_prefix(c)][c->reg_form] : map1[c->opcode];
    *row = rows[*head].group ? row_by_modrm(c, *head) : *head;
    if (rows[*row].attr & AT_ALT) {
        *row = row_variant(c, *row);
    }
    if (rows[*row].attr & AT_RMREG) {
        c->reg_form = true;
    }
    return DEC_OK;
}

/* Memory address of ModR/M, with the segment it implies. */
static bool read_memory(struct cursor *c, struct decoded *out)
{
    out->has_mem = true;
    return out->asize == 2 ? read_memory16(c, out) : read_memory32(c, out);
}

/* Address bytes, operands and immediates of a known row. */
static bool read_operands(struct cursor *c, const struct oprow *head, const struct oprow *row,
                          struct decoded *out)
{
    const struct oprow *from = row->osize == OS_HEAD ? head : row;
    unsigned v = operand_size(c, row->attr);

    out->osize = (uint8_t)size_in_bytes(c, from->osize, v);
    if (c->has_modrm && !c->reg_form && !read_memory(c, out)) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        const struct operand_rule *rule = &operand_rules[from->operand[i]];

        if (rule->method == OM_NONE) {
            break;
        }
        if (!read_operand(c, rule, v, &out->o[i], out)) {
            return false;
        }
        out->noperands++;
    }
    return true;
}

/* Decode into *out; the caller clears op again when the verdict is not DEC_OK. */
static enum decode_status decode_at(struct cursor *c, struct decoded *out)
{
    enum decode_status status = read_opcode(c, out);
    unsigned head_number, row_number;
    const struct oprow *row;

    if (status != DEC_OK) {
        return status;
    }
    status = find_row(c, &head_number, &row_number);
    if (status != DEC_OK) {
        return status;
    }
    row = &rows[row_number];
    out->attr = row->attr | rows[head_number].attr;
    if ((row->op == OP_INVALID && !c->has_modrm)
        || out->attr & (c->code == CODE64 ? AT_I64 : AT_O64)) {
        return DEC_UD;
    }
    out->op = row->op;
    out->row = (uint16_t)row_number;
    out->feature = row->feature;
    out->asize = (uint8_t)address_size(c);
    out->seg = SEG_DS;
    out->rex = c->rex;
    out->rep = row->attr & AT_MAND ? REP_NONE : c->rep;
    if (row->attr & AT_CC) {
        out->cc = c->opcode & 15;
    }
    if (!read_operands(c, &rows[head_number], row, out)) {
        return out_of_bytes(c);
    }
    if (c->seg != REG_NONE) {
        out->seg = c->seg;
        out->seg_override = true;
    }
    set_flags(row, out);
    check_operands(c, out);
    return row->op == OP_INVALID || c->wrong ? DEC_UD : DEC_OK;
}

enum decode_status decode(const uint8_t *bytes, unsigned avail, enum code_size size,
                          struct decoded *out)
{
    struct cursor c = {
        .bytes = bytes,
        .limit = avail < DECODE_MAX_LEN ? avail : DECODE_MAX_LEN,
        .code = size,
        .seg = REG_NONE
    };
    enum decode_status status;

    *out = (struct decoded){ .code = (uint8_t)size, .base = REG_NONE, .index = REG_NONE };
    status = decode_at(&c, out);
    if (status != DEC_OK) {
        *out = (struct decoded){
            .code = (uint8_t)size, .nprefix = out->nprefix, .base = REG_NONE, .index = REG_NONE
        };
    }
    out->len = (uint8_t)c.pos;
    return status;
}

unsigned decode_row_count(void)
{
    return ROW_COUNT;
}

const struct oprow *decode_row(unsigned row)
{
    return row < ROW_COUNT ? &rows[row] : NULL;
}

const char *decode_row_name(unsigned row)
{
    return row < ROW_COUNT ? row_names[row] : NULL;
}
