/* t_decode.c - decoder and disassembler against hand-picked encodings and against their own tables.
 *
 * Texts come from the SDM volume 2 (tables 2-1 to 2-3 for addressing forms, appendix A for maps),
 * not from the decoder. The sweeps below try every opcode with every ModR/M byte and mandatory
 * prefix in all three code sizes: each row of the map files has to be met, and every instruction
 * has to answer "more bytes" when cut short anywhere.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/disasm.h"
#include "tests/suite.h"

struct text_case {
    const char *hex;
    const char *text;  /* NULL: #UD */
};

static unsigned parse_hex(const char *hex, uint8_t *out)
{
    unsigned n = 0;

    while (*hex) {
        if (*hex == ' ') {
            hex++;
        } else {
            char pair[3] = { hex[0], hex[1], '\0' };

            out[n++] = (uint8_t)strtoul(pair, NULL, 16);
            hex += 2;
        }
    }
    return n;
}

static enum decode_status decode_hex(const char *hex, enum code_size size, struct decoded *d)
{
    uint8_t bytes[32] = { 0 };

    return decode(bytes, parse_hex(hex, bytes), size, d);
}

/* Every case must decode to its text and use all of its bytes. */
static void check_texts(enum code_size size, const struct text_case *cases, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t bytes[32] = { 0 };
        unsigned len = parse_hex(cases[i].hex, bytes);
        struct decoded d;
        char buf[96];
        enum decode_status status = decode(bytes, len, size, &d);

        if (cases[i].text == NULL) {
            ck_assert_msg(status == DEC_UD, "%s: status %d, not #UD", cases[i].hex, (int)status);
            ck_assert_uint_eq(d.op, OP_INVALID);
            continue;
        }
        ck_assert_msg(status == DEC_OK, "%s: status %d", cases[i].hex, (int)status);
        ck_assert_msg(d.len == len, "%s: length %u", cases[i].hex, d.len);
        ck_assert_uint_eq(disasm(&d, 0x1000, buf, sizeof buf), strlen(buf));
        ck_assert_msg(strcmp(buf, cases[i].text) == 0, "%s: \"%s\" instead of \"%s\"",
                      cases[i].hex, buf, cases[i].text);
    }
}

#define CHECK_TEXTS(size, cases) check_texts(size, cases, sizeof (cases) / sizeof (cases)[0])

START_TEST(addressing_16)
{
    static const struct text_case cases[] = {
        { "8B 00", "mov ax,word [bx+si]" },
        { "8B 01", "mov ax,word [bx+di]" },
        { "8B 02", "mov ax,word [bp+si]" },
        { "8B 03", "mov ax,word [bp+di]" },
        { "8B 04", "mov ax,word [si]" },
        { "8B 05", "mov ax,word [di]" },
        { "8B 06 34 92", "mov ax,word [0x9234]" },
        { "8B 07", "mov ax,word [bx]" },
        { "8B 46 00", "mov ax,word [bp]" },
        { "8B 40 7F", "mov ax,word [bx+si+0x7f]" },
        { "8B 43 80", "mov ax,word [bp+di-0x80]" },
        { "8B 84 34 12", "mov ax,word [si+0x1234]" },
        { "8B 86 FE FF", "mov ax,word [bp-0x2]" },
        { "26 8B 46 02", "mov ax,word [es:bp+0x2]" },
        { "66 8B 07", "mov eax,dword [bx]" },
        { "67 8B 00", "mov ax,word [eax]" },
        { "67 66 8B 84 88 78 56 34 12", "mov eax,dword [eax+ecx*4+0x12345678]" },
        { "67 A1 78 56 34 12", "mov ax,word [dword 0x12345678]" },
        { "A1 34 12", "mov ax,word [0x1234]" },
        { "C4 1E 00 10", "les bx,[0x1000]" },
        { "FF 2F", "jmp word far [bx]" },
        { "66 FF 1F", "call dword far [bx]" },
        { "9A 34 12 00 F0", "call 0xf000:0x1234" },
        { "66 EA 78 56 34 12 08 00", "o32 jmp 0x8:0x12345678" },
        { "EB FE", "jmp 0x1000" },
        { "E8 FD EF", "call 0x0" },
        { "66 E8 00 00 00 00", "o32 call 0x1006" },
        { "E3 FE", "jcxz 0x1000" },
        { "67 E3 FD", "jecxz 0x1000" },
        { "67 E2 FD", "a32 loop 0x1000" },
        { "60", "pushaw" },
        { "66 CF", "iretd" },
        { "66 C3", "o32 ret" },
        { "98", "cbw" },
        { "66 98", "cwde" },
        { "66 99", "cdq" },
        { "F3 A5", "rep movsw" },
        { "F3 66 67 A5", "rep a32 movsd" },
        { "63 C8", "arpl ax,cx" },
        { "0F 01 16 00 01", "lgdt [0x100]" },
        { "0F 20 C0", "mov eax,cr0" },
    };

    CHECK_TEXTS(CODE16, cases);
}
END_TEST

START_TEST(addressing_32)
{
    static const struct text_case cases[] = {
        { "8B 00", "mov eax,dword [eax]" },
        { "8B 04 24", "mov eax,dword [esp]" },
        { "8B 05 78 56 34 92", "mov eax,dword [0x92345678]" },
        { "8B 45 00", "mov eax,dword [ebp]" },
        { "8B 44 24 FC", "mov eax,dword [esp-0x4]" },
        { "8B 80 00 00 00 80", "mov eax,dword [eax-0x80000000]" },
        { "8B 04 8D 10 00 00 00", "mov eax,dword [ecx*4+0x10]" },
        { "8B 04 25 10 00 00 00", "mov eax,dword [0x10]" },
        { "8B 44 C5 08", "mov eax,dword [ebp+eax*8+0x8]" },
        { "8B 04 64", "mov eax,dword [esp]" },
        { "8D 74 26 00", "lea esi,[esi]" },
        { "67 8B 47 10", "mov eax,dword [bx+0x10]" },
        { "67 A0 34 12", "mov al,byte [word 0x1234]" },
        { "64 A1 18 00 00 00", "mov eax,dword [fs:0x18]" },
        { "2E 36 8B 03", "mov eax,dword [ss:ebx]" },
        { "66 89 E5", "mov bp,sp" },
        { "88 E0", "mov al,ah" },
        { "83 C0 FF", "add eax,0xffffffff" },
        { "66 83 E8 80", "sub ax,0xff80" },
        { "80 7D FF 80", "cmp byte [ebp-0x1],0x80" },
        { "82 C1 05", "add cl,0x5" },
        { "81 30 44 33 22 11", "xor dword [eax],0x11223344" },
        { "F0 0F C1 08", "lock xadd dword [eax],ecx" },
        { "F0 87 08", "lock xchg dword [eax],ecx" },
        { "69 C3 10 27 00 00", "imul eax,ebx,0x2710" },
        { "6B C3 F0", "imul eax,ebx,0xfffffff0" },
        { "0F AF C3", "imul eax,ebx" },
        { "F7 EB", "imul ebx" },
        { "F6 C8 01", "test al,0x1" },
        { "F7 08 01 00 00 00", "test dword [eax],0x1" },
        { "D0 F0", "shl al,0x1" },
        { "C1 30 04", "shl dword [eax],0x4" },
        { "D3 F8", "sar eax,cl" },
        { "0F A4 C2 03", "shld edx,eax,0x3" },
        { "0F AD 00", "shrd dword [eax],eax,cl" },
        { "6A FF", "push 0xffffffff" },
        { "66 6A FF", "o16 push 0xffff" },
        { "68 78 56 34 12", "push 0x12345678" },
        { "06", "push es" },
        { "66 0F A0", "o16 push fs" },
        { "8F 00", "pop dword [eax]" },
        { "C8 20 00 01", "enter 0x20,0x1" },
        { "C2 08 00", "ret 0x8" },
        { "CA 04 00", "retf 0x4" },
        { "0F 84 FA FF FF FF", "je 0x1000" },
        { "66 74 10", "o16 je 0x1013" },
        { "66 E9 FC EF", "o16 jmp 0x0" },
        { "E9 FB EF FF FF", "jmp 0x0" },
        { "FF E0", "jmp eax" },
        { "FF 14 85 00 00 00 00", "call dword [eax*4]" },
        { "0F 94 C0", "sete al" },
        { "0F 4C C1", "cmovl eax,ecx" },
        { "8E D8", "mov ds,ax" },
        { "8C D8", "mov eax,ds" },
        { "66 8C D8", "mov ax,ds" },
        { "8C 18", "mov word [eax],ds" },
        { "0F 22 DF", "mov cr3,edi" },
        { "0F 22 1F", "mov cr3,edi" },
        { "0F 23 FE", "mov dr7,esi" },
        { "0F 24 F0", "mov eax,tr6" },
        { "0F 00 D8", "ltr ax" },
        { "0F 01 38", "invlpg [eax]" },
        { "0F 01 C8", "monitor" },
        { "0F 01 C9", "mwait" },
        { "0F B2 20", "lss esp,[eax]" },
        { "62 01", "bound eax,qword [ecx]" },
        { "E4 60", "in al,0x60" },
        { "66 EF", "out dx,ax" },
        { "D4 0A", "aam 0xa" },
        { "D6", "salc" },
        { "F1", "int1" },
        { "CD 80", "int 0x80" },
        { "90", "nop" },
        { "66 90", "nop" },
        { "F3 90", "pause" },
        { "91", "xchg ecx,eax" },
        { "0F 1F 44 00 00", "nop [eax+eax*1]" },
        { "F3 0F 1E FA", "nop edx" },
        { "F3 0F 1E FB", "nop ebx" },
        { "0F 18 08", "prefetcht0 [eax]" },
        { "0F 18 C8", "nop eax" },
        { "0F 0D 08", "prefetchw [eax]" },
        { "F3 0F BC C1", "bsf eax,ecx" },
        { "F3 0F BD C1", "bsr eax,ecx" },
        { "0F B9 C1", "ud1 eax,ecx" },
        { "0F FF C1", "ud0 eax,ecx" },
        { "0F 0B", "ud2" },
        { "0F C8", "bswap eax" },
        { "0F C7 0E", "cmpxchg8b qword [esi]" },
        { "F3 6C", "rep insb" },
        { "F2 AE", "repne scasb" },
        { "64 F3 A6", "repe fs cmpsb" },
        { "65 D7", "gs xlatb" },
        { "9B", "fwait" },
        { "0F AE 00", "fxsave [eax]" },
        { "0F AE E8", "lfence" },
        { "0F AE F0", "mfence" },
        { "0F AE F8", "sfence" },
        { "0F AE 38", "clflush byte [eax]" },
    };

    CHECK_TEXTS(CODE32, cases);
}
END_TEST

START_TEST(addressing_64)
{
    static const struct text_case cases[] = {
        { "8B 05 10 00 00 00", "mov eax,dword [rel 0x1016]" },
        { "67 8B 05 F0 EF FF FF", "mov eax,dword [rel 0xfffffff7]" },
        { "48 8B 04 25 F0 FF FF FF", "mov rax,qword [0xfffffffffffffff0]" },
        { "4C 8B 44 D8 10", "mov r8,qword [rax+rbx*8+0x10]" },
        { "49 8B 45 00", "mov rax,qword [r13]" },
        { "49 8B 04 24", "mov rax,qword [r12]" },
        { "4A 8B 04 20", "mov rax,qword [rax+r12*1]" },
        { "42 8B 04 24", "mov eax,dword [rsp+r12*1]" },
        { "67 8B 00", "mov eax,dword [eax]" },
        { "88 E0", "mov al,ah" },
        { "40 88 E0", "mov al,spl" },
        { "44 88 F8", "mov al,r15b" },
        { "66 41 50", "push r8w" },
        { "41 50", "push r8" },
        { "6A FF", "push 0xffffffffffffffff" },
        { "48 B8 88 77 66 55 44 33 22 11", "mov rax,0x1122334455667788" },
        { "48 C7 C0 FF FF FF FF", "mov rax,0xffffffffffffffff" },
        { "B8 FF FF FF FF", "mov eax,0xffffffff" },
        { "48 63 C1", "movsxd rax,ecx" },
        { "41 90", "xchg r8d,eax" },
        { "48 90", "nop" },
        { "E8 FB FF FF FF", "call 0x1000" },
        { "66 E9 FA FF FF FF", "jmp 0x1000" },
        { "FF E0", "jmp rax" },
        { "C3", "ret" },
        { "48 CF", "iretq" },
        { "48 98", "cdqe" },
        { "9C", "pushfq" },
        { "48 A5", "movsq" },
        { "A1 88 77 66 55 44 33 22 11", "mov eax,dword [0x1122334455667788]" },
        { "0F 05", "syscall" },
        { "0F 01 F8", "swapgs" },
        { "0F 22 C0", "mov cr0,rax" },
        { "44 0F 22 C0", "mov cr8,rax" },
        { "48 0F C7 08", "cmpxchg16b oword [rax]" },
        { "66 48 0F 6E C0", "movd xmm0,rax" },
        { "41 D8 C1", "fadd st0,st1" },
        { "48 66 01 C8", "add ax,cx" },
        { "E3 FE", "jrcxz 0x1000" },
        { "2E 8B 00", "mov eax,dword [rax]" },
        { "65 8B 00", "mov eax,dword [gs:rax]" },
        { "06", NULL },
        { "27", NULL },
        { "60", NULL },
        { "62 00", NULL },
        { "82 C0 01", NULL },
        { "9A", NULL },
        { "C4 00", NULL },
        { "C5 00", NULL },
        { "CE", NULL },
        { "D4 0A", NULL },
        { "D6", NULL },
        { "EA", NULL },
        { "0F 24 F0", NULL },
        { "44 0F 23 C0", NULL },
    };

    CHECK_TEXTS(CODE64, cases);
}
END_TEST

START_TEST(floating_point)
{
    static const struct text_case cases[] = {
        { "D8 00", "fadd dword [eax]" },
        { "DC 20", "fsub qword [eax]" },
        { "DE 30", "fidiv word [eax]" },
        { "D8 E1", "fsub st0,st1" },
        { "DC E1", "fsubr st1,st0" },
        { "DC E9", "fsub st1,st0" },
        { "DE E1", "fsubrp st1,st0" },
        { "DE E9", "fsubp st1,st0" },
        { "DE F1", "fdivrp st1,st0" },
        { "DE F9", "fdivp st1,st0" },
        { "DE D9", "fcompp" },
        { "DA E9", "fucompp" },
        { "DC D1", "fcom st0,st1" },
        { "DC D9", "fcomp st0,st1" },
        { "DE D1", "fcomp st0,st1" },
        { "DD C9", "fxch st1" },
        { "DF C9", "fxch st1" },
        { "DF D1", "fstp st1" },
        { "DF D9", "fstp st1" },
        { "D9 D9", "fstpnce st1" },
        { "DF C1", "ffreep st1" },
        { "DB 28", "fld tword [eax]" },
        { "DF 20", "fbld tword [eax]" },
        { "DF 28", "fild qword [eax]" },
        { "DD 08", "fisttp qword [eax]" },
        { "D9 30", "fnstenv [eax]" },
        { "66 DD 30", "o16 fnsave [eax]" },
        { "DF E0", "fnstsw ax" },
        { "DB E3", "fninit" },
        { "DB E4", "fnsetpm" },
        { "DB F1", "fcomi st0,st1" },
        { "D9 FF", "fcos" },
        { "D9 08", NULL },
        { "DB 20", NULL },
        { "DB 30", NULL },
        { "DD 28", NULL },
        { "D9 D1", NULL },
        { "D9 E2", NULL },
        { "D9 EF", NULL },
        { "DA E8", NULL },
        { "DB E5", NULL },
        { "DD F0", NULL },
        { "DE D8", NULL },
        { "DF E1", NULL },
        { "DF F8", NULL },
        { "F0 D8 00", NULL },
    };
    struct decoded d;

    CHECK_TEXTS(CODE32, cases);
    ck_assert_int_eq(decode_hex("D9 30", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.o[0].size, 28);
    ck_assert_int_eq(decode_hex("D9 30", CODE16, &d), DEC_OK);
    ck_assert_uint_eq(d.o[0].size, 14);
    ck_assert_uint_eq(d.osize, 2);
    ck_assert_int_eq(decode_hex("66 DD 20", CODE16, &d), DEC_OK);
    ck_assert_uint_eq(d.o[0].size, 108);
}
END_TEST

START_TEST(simd)
{
    static const struct text_case cases[] = {
        { "0F FC C1", "paddb mm0,mm1" },
        { "66 0F FC C1", "paddb xmm0,xmm1" },
        { "F3 0F FC C1", NULL },
        { "0F 60 00", "punpcklbw mm0,dword [eax]" },
        { "66 0F 60 00", "punpcklbw xmm0,oword [eax]" },
        { "0F 58 C1", "addps xmm0,xmm1" },
        { "66 0F 58 00", "addpd xmm0,oword [eax]" },
        { "F3 0F 58 00", "addss xmm0,dword [eax]" },
        { "F2 0F 58 00", "addsd xmm0,qword [eax]" },
        { "66 F2 0F 58 00", "addsd xmm0,qword [eax]" },
        { "F2 66 0F 58 00", "addsd xmm0,qword [eax]" },
        { "F2 F3 0F 58 00", "addss xmm0,dword [eax]" },
        { "0F 12 C1", "movhlps xmm0,xmm1" },
        { "0F 12 00", "movlps xmm0,qword [eax]" },
        { "66 0F 12 C1", NULL },
        { "0F 13 C1", NULL },
        { "0F 16 C1", "movlhps xmm0,xmm1" },
        { "F2 0F 12 C1", "movddup xmm0,xmm1" },
        { "0F 2A C1", "cvtpi2ps xmm0,mm1" },
        { "F2 0F 2D C1", "cvtsd2si eax,xmm1" },
        { "0F 50 C1", "movmskps eax,xmm1" },
        { "0F 50 00", NULL },
        { "0F 71 D1 05", "psrlw mm1,0x5" },
        { "66 0F 73 D9 05", "psrldq xmm1,0x5" },
        { "0F 73 D9 05", NULL },
        { "0F 71 10 05", NULL },
        { "F3 0F 7E C1", "movq xmm0,xmm1" },
        { "66 0F 7E C1", "movd ecx,xmm0" },
        { "F2 0F D6 C1", "movdq2q mm0,xmm1" },
        { "F3 0F D6 C1", "movq2dq xmm0,mm1" },
        { "0F C4 C1 02", "pinsrw mm0,ecx,0x2" },
        { "0F C4 00 02", "pinsrw mm0,word [eax],0x2" },
        { "66 0F C5 C1 02", "pextrw eax,xmm1,0x2" },
        { "0F C2 C1 01", "cmpps xmm0,xmm1,0x1" },
        { "F2 0F 70 C1 1B", "pshuflw xmm0,xmm1,0x1b" },
        { "0F C3 08", "movnti dword [eax],ecx" },
        { "0F F7 C1", "maskmovq mm0,mm1" },
        { "F2 0F F0 00", "lddqu xmm0,oword [eax]" },
        { "0F AE 10", "ldmxcsr dword [eax]" },
        { "0F 38 00 C1", NULL },
        { "0F 3A 0F C1 01", NULL },
        { "F3 0F B8 C1", NULL },
    };
    struct decoded d;

    CHECK_TEXTS(CODE32, cases);
    ck_assert_int_eq(decode_hex("0F 58 00", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.osize, 16);
    ck_assert(d.attr & AT_ALIGN16);
    ck_assert_uint_eq(d.feature, FT_SSE);
    ck_assert_int_eq(decode_hex("F3 0F 58 00", CODE32, &d), DEC_OK);
    ck_assert(!(d.attr & AT_ALIGN16));
    ck_assert_uint_eq(d.rep, REP_NONE);
    ck_assert_int_eq(decode_hex("0F 10 00", CODE32, &d), DEC_OK);
    ck_assert(!(d.attr & AT_ALIGN16));
    ck_assert_int_eq(decode_hex("0F FC 00", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.osize, 8);
    ck_assert_uint_eq(d.attr & (AT_MMX | AT_SSE), AT_MMX);
}
END_TEST

START_TEST(reserved_forms)
{
    static const struct text_case cases[] = {
        { "8D C0", NULL }, { "62 C0", NULL }, { "C4 C0", NULL }, { "C5 C0", NULL },
        { "0F B2 C0", NULL }, { "0F C7 C8", NULL }, { "0F 01 D0", NULL }, { "0F 01 C0", NULL },
        { "0F 01 CA", NULL }, { "0F 01 F8", NULL }, { "0F 01 E8", NULL }, { "0F AE C0", NULL },
        { "0F AE 20", NULL }, { "66 0F AE 38", NULL }, { "0F 0D C0", NULL },
        { "8F C8", NULL }, { "8F 08", NULL }, { "C6 C8 01", NULL }, { "C7 08 01 00 00 00", NULL },
        { "FE D0", NULL }, { "FF F8", NULL }, { "FF D8", NULL }, { "FF E8", NULL },
        { "0F 00 F0", NULL }, { "0F BA C0 01", NULL }, { "0F BA D8 01", NULL },
        { "8E C8", NULL }, { "8E F0", NULL }, { "8C F8", NULL },
        { "0F 20 C8", NULL }, { "0F 22 E8", NULL }, { "0F 22 38", NULL }, { "0F 24 C0", NULL },
        { "0F 04", NULL }, { "0F 05", NULL }, { "0F 07", NULL }, { "0F 0A", NULL },
        { "0F 0E", NULL }, { "0F 36", NULL }, { "0F 38", NULL }, { "0F 3A", NULL },
        { "0F A6", NULL }, { "0F B8", NULL },
    };

    CHECK_TEXTS(CODE32, cases);
}
END_TEST

/* LOCK: memory destination of read-modify-write instructions only. */
START_TEST(lock_prefix)
{
    static const char *const allowed[] = {
        "F0 00 00", "F0 01 00", "F0 08 00", "F0 11 00", "F0 19 00", "F0 21 00", "F0 29 00",
        "F0 31 00",
        "F0 80 00 01", "F0 81 30 01 00 00 00", "F0 83 28 01", "F0 82 00 01", "F0 86 00", "F0 87 00",
        "F0 F6 10", "F0 F7 18", "F0 FE 00", "F0 FF 08", "F0 0F AB 00", "F0 0F B3 00", "F0 0F BB 00",
        "F0 0F BA 28 01", "F0 0F BA 30 01", "F0 0F BA 38 01", "F0 0F B0 00", "F0 0F B1 00",
        "F0 0F C0 00", "F0 0F C1 00", "F0 0F C7 08"
    };
    static const char *const refused[] = {
        "F0 00 C0", "F0 02 00", "F0 04 01", "F0 38 00", "F0 39 00", "F0 80 38 01", "F0 84 00",
        "F0 88 00", "F0 8B 00", "F0 87 C0", "F0 90", "F0 F6 00 01", "F0 F7 20", "F0 F7 30",
        "F0 FF 10", "F0 FF 30", "F0 40", "F0 0F A3 00", "F0 0F BA 20 01", "F0 0F A4 00 01",
        "F0 0F AB C0", "F0 D1 00", "F0 A4", "F0 0F AF 00", "F0 FA", "F0 0F FC 00", "F0 D9 00"
    };
    struct decoded d;

    for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        ck_assert_msg(decode_hex(allowed[i], CODE32, &d) == DEC_OK, "%s", allowed[i]);
        ck_assert(d.lock);
        ck_assert(d.attr & AT_LOCK);
    }
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ck_assert_msg(decode_hex(refused[i], CODE32, &d) == DEC_UD, "%s", refused[i]);
    }
}
END_TEST

START_TEST(segments)
{
    static const struct {
        const char *hex;
        enum code_size size;
        unsigned seg;
        bool override;
    } cases[] = {
        { "8B 07", CODE16, SEG_DS, false }, { "8B 02", CODE16, SEG_SS, false },
        { "8B 46 00", CODE16, SEG_SS, false }, { "8B 06 00 00", CODE16, SEG_DS, false },
        { "3E 8B 46 00", CODE16, SEG_DS, true }, { "8B 45 00", CODE32, SEG_SS, false },
        { "8B 04 24", CODE32, SEG_SS, false }, { "8B 04 2D 00 00 00 00", CODE32, SEG_DS, false },
        { "8B 04 28", CODE32, SEG_DS, false }, { "8B 44 05 00", CODE32, SEG_SS, false },
        { "2E 65 64 8B 00", CODE32, SEG_FS, true }, { "64 2E 8B 00", CODE32, SEG_CS, true },
        { "64 2E 8B 00", CODE64, SEG_FS, true }, { "26 A4", CODE32, SEG_ES, true },
        { "A4", CODE32, SEG_DS, false }, { "65 0F F7 C1", CODE32, SEG_GS, true },
        { "A1 00 00", CODE16, SEG_DS, false }, { "41 8B 45 00", CODE64, SEG_DS, false }
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decoded d;

        ck_assert_int_eq(decode_hex(cases[i].hex, cases[i].size, &d), DEC_OK);
        ck_assert_msg(d.seg == cases[i].seg && d.seg_override == cases[i].override,
                      "%s: segment %u", cases[i].hex, d.seg);
    }
}
END_TEST

START_TEST(fields)
{
    struct decoded d;

    ck_assert_int_eq(decode_hex("66 F3 26 C7 84 51 F0 FF FF FF 34 92", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.op, OP_MOV);
    ck_assert_uint_eq(d.nprefix, 3);
    ck_assert_uint_eq(d.rep, REP_F3);
    ck_assert_uint_eq(d.osize, 2);
    ck_assert_uint_eq(d.asize, 4);
    ck_assert(d.has_mem);
    ck_assert_uint_eq(d.base, REG_CX);
    ck_assert_uint_eq(d.index, REG_DX);
    ck_assert_uint_eq(d.scale, 1);
    ck_assert_int_eq(d.disp, -16);
    ck_assert_uint_eq(d.imm, 0x9234);
    ck_assert_uint_eq(d.noperands, 2);
    ck_assert_uint_eq(d.o[0].kind, OK_MEM);
    ck_assert_uint_eq(d.o[0].size, 2);
    ck_assert_uint_eq(d.o[1].kind, OK_IMM);
    ck_assert_uint_eq(d.o[2].kind, OK_NONE);

    ck_assert_int_eq(decode_hex("8B 42 FE", CODE16, &d), DEC_OK);
    ck_assert_uint_eq(d.base, REG_BP);
    ck_assert_uint_eq(d.index, REG_SI);
    ck_assert_uint_eq(d.scale, 0);
    ck_assert_int_eq(d.disp, -2);
    ck_assert_uint_eq(d.asize, 2);

    ck_assert_int_eq(decode_hex("7C 80", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.op, OP_JCC);
    ck_assert_uint_eq(d.cc, CC_L);
    ck_assert_uint_eq(d.o[0].kind, OK_REL);
    ck_assert_uint_eq(d.imm, (uint64_t)-128);
    ck_assert_uint_eq(d.fl_read, DF_O | DF_S);
    ck_assert(d.attr & AT_COND && !(d.attr & AT_END));

    ck_assert_int_eq(decode_hex("EA 78 56 34 12 CD AB", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.o[0].kind, OK_FARPTR);
    ck_assert_uint_eq(d.imm, 0x12345678);
    ck_assert_uint_eq(d.imm2, 0xABCD);

    ck_assert_int_eq(decode_hex("C8 34 12 1F", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.imm, 0x1234);
    ck_assert_uint_eq(d.imm2, 0x1F);

    ck_assert_int_eq(decode_hex("A2 34 92", CODE16, &d), DEC_OK);
    ck_assert_uint_eq(d.osize, 1);
    ck_assert(d.has_mem);
    ck_assert_uint_eq(d.base, REG_NONE);
    ck_assert_uint_eq(d.index, REG_NONE);
    ck_assert_uint_eq((uint64_t)d.disp & 0xffff, 0x9234);

    ck_assert_int_eq(decode_hex("A5", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.o[0].kind, OK_STRING_DST);
    ck_assert_uint_eq(d.o[1].kind, OK_STRING_SRC);
    ck_assert_uint_eq(d.osize, 4);

    ck_assert_int_eq(decode_hex("0F B6 C4", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.osize, 4);
    ck_assert_uint_eq(d.o[1].size, 1);
    ck_assert_uint_eq(d.o[1].reg, 4);

    ck_assert_int_eq(decode_hex("8E D0", CODE32, &d), DEC_OK);
    ck_assert(d.attr & AT_END);
    ck_assert_int_eq(decode_hex("8E D8", CODE32, &d), DEC_OK);
    ck_assert(d.attr & AT_SEG && !(d.attr & AT_END));

    ck_assert_int_eq(decode_hex("0F 00 C0", CODE32, &d), DEC_OK);
    ck_assert(d.attr & AT_PROT && !(d.attr & AT_CPL0));
    ck_assert_int_eq(decode_hex("0F 00 D0", CODE32, &d), DEC_OK);
    ck_assert(d.attr & AT_PROT && d.attr & AT_CPL0);
}
END_TEST

START_TEST(flag_masks)
{
    static const struct {
        const char *hex;
        unsigned read, write, may, undef;
    } cases[] = {
        { "01 C0", 0, DF_OSZAPC, 0, 0 },
        { "11 C0", DF_C, DF_OSZAPC, 0, 0 },
        { "21 C0", 0, DF_OSZAPC & ~DF_A, 0, DF_A },
        { "40", 0, DF_OSZAPC & ~DF_C, 0, 0 },
        { "D1 E0", 0, DF_OSZAPC & ~DF_A, 0, DF_A },
        { "C1 E0 01", 0, DF_OSZAPC & ~DF_A, 0, DF_A },
        { "C1 E0 02", 0, DF_S | DF_Z | DF_P | DF_C, 0, DF_A | DF_O },
        { "C1 E0 20", 0, 0, 0, 0 },
        { "D3 E0", 0, 0, DF_OSZAPC & ~DF_A, DF_A | DF_O },
        { "D1 D0", DF_C, DF_O | DF_C, 0, 0 },
        { "0F A4 C2 00", 0, 0, 0, 0 },
        { "0F A5 C2", 0, 0, DF_OSZAPC & ~DF_A, DF_A | DF_O },
        { "A6", 0, DF_OSZAPC, 0, 0 },
        { "F3 A6", 0, 0, DF_OSZAPC, 0 },
        { "F7 E0", 0, DF_O | DF_C, 0, DF_S | DF_Z | DF_A | DF_P },
        { "F7 D0", 0, 0, 0, 0 },
        { "0F 97 C0", DF_Z | DF_C, 0, 0, 0 },
        { "9F", DF_OSZAPC & ~DF_O, 0, 0, 0 },
        { "DB F1", 0, DF_OSZAPC, 0, 0 },
        { "DA C1", DF_C, 0, 0, 0 },
        { "8B 00", 0, 0, 0, 0 }
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decoded d;

        ck_assert_int_eq(decode_hex(cases[i].hex, CODE32, &d), DEC_OK);
        ck_assert_msg(d.fl_read == cases[i].read, "%s: reads %x", cases[i].hex, d.fl_read);
        ck_assert_msg(d.fl_write == cases[i].write, "%s: writes %x", cases[i].hex, d.fl_write);
        ck_assert_msg(d.fl_may == cases[i].may, "%s: may write %x", cases[i].hex, d.fl_may);
        ck_assert_msg(d.fl_undef == cases[i].undef, "%s: undefined %x", cases[i].hex, d.fl_undef);
    }
}
END_TEST

START_TEST(length_limit)
{
    uint8_t bytes[32];
    struct decoded d;

    memset(bytes, 0x66, sizeof bytes);
    ck_assert_int_eq(decode(bytes, sizeof bytes, CODE32, &d), DEC_TOO_LONG);
    ck_assert_int_eq(decode(bytes, 15, CODE32, &d), DEC_TOO_LONG);
    ck_assert_int_eq(decode(bytes, 14, CODE32, &d), DEC_MORE);
    ck_assert_int_eq(decode(bytes, 0, CODE32, &d), DEC_MORE);
    bytes[14] = 0x90;
    ck_assert_int_eq(decode(bytes, sizeof bytes, CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.len, 15);
    ck_assert_uint_eq(d.nprefix, 14);
    /* 7 prefixes + C7 05 disp32 imm16 + ... just fit; one more prefix does not */
    memcpy(bytes + 7, "\xC7\x05\x44\x33\x22\x11\x55\x66", 8);
    ck_assert_int_eq(decode(bytes, sizeof bytes, CODE32, &d), DEC_OK);
    ck_assert_uint_eq(d.len, 15);
    memcpy(bytes + 8, "\xC7\x05\x44\x33\x22\x11\x55\x66", 8);
    bytes[7] = 0x66;
    ck_assert_int_eq(decode(bytes, sizeof bytes, CODE32, &d), DEC_TOO_LONG);
    /* too long outranks undefined */
    memset(bytes, 0x66, sizeof bytes);
    bytes[13] = 0x0F;
    bytes[14] = 0x04;
    ck_assert_int_eq(decode(bytes, sizeof bytes, CODE32, &d), DEC_UD);
    bytes[14] = 0x50;
    ck_assert_int_eq(decode(bytes, sizeof bytes, CODE32, &d), DEC_TOO_LONG);
}
END_TEST

/* ck_assert costs a system call even when it holds: too much inside the sweeps. */
#define REQUIRE(condition, bytes) \
    do { \
        if (!(condition)) { \
            ck_abort_msg("%s, at %02x %02x %02x %02x", #condition, (bytes)[0], (bytes)[1], \
                         (bytes)[2], (bytes)[3]); \
        } \
    } while (0)

/* Called for every combination of map, opcode, ModR/M and prefixes; n bytes, enough for any. */
typedef void visit_fn(const uint8_t *bytes, unsigned n, enum code_size size, void *arg);

static void sweep(enum code_size size, unsigned modrm_step, visit_fn *visit, void *arg)
{
    static const uint8_t prefixes[] = { 0x90, 0x66, 0xF3, 0xF2, 0x67, 0x41, 0x48, 0xF0 };

    for (unsigned p = 0; p < sizeof prefixes; p++) {
        uint8_t bytes[DECODE_MAX_LEN];
        unsigned first = prefixes[p] == 0x90 ? 0 : 1;

        for (unsigned opcode = 0; opcode < 512; opcode++) {
            for (unsigned modrm = 0; modrm < 256; modrm += modrm_step) {
                unsigned n = first;

                memset(bytes, 0x12, sizeof bytes);
                bytes[0] = prefixes[p];
                if (opcode >= 256) {
                    bytes[n++] = 0x0F;
                }
                bytes[n++] = (uint8_t)opcode;
                bytes[n] = (uint8_t)modrm;
                visit(bytes, sizeof bytes, size, arg);
            }
        }
    }
}

static void count_row(const uint8_t *bytes, unsigned n, enum code_size size, void *arg)
{
    struct decoded d;

    if (decode(bytes, n, size, &d) == DEC_OK) {
        unsigned *hits = arg;

        REQUIRE(d.row < decode_row_count(), bytes);
        REQUIRE(decode_row(d.row)->op == d.op, bytes);
        hits[d.row]++;
    }
}

START_TEST(every_row_is_reached)
{
    unsigned *hits = calloc(decode_row_count(), sizeof *hits);
    bool named[OP_COUNT] = { false };

    ck_assert_ptr_nonnull(hits);
    sweep(CODE16, 1, count_row, hits);
    sweep(CODE32, 1, count_row, hits);
    sweep(CODE64, 1, count_row, hits);
    for (unsigned i = 0; i < decode_row_count(); i++) {
        ck_assert_msg(hits[i] > 0 || decode_row(i)->op == OP_INVALID, "row %s (%s) not reached",
                      decode_row_name(i), disasm_mnemonic(decode_row(i)->op));
        named[decode_row(i)->op] = true;
    }
    for (unsigned op = 1; op < OP_COUNT; op++) {
        ck_assert_msg(named[op], "operation %u (%s) has no row", op, disasm_mnemonic(op));
    }
    ck_assert_ptr_null(decode_row(decode_row_count()));
    ck_assert_ptr_null(decode_row_name(decode_row_count()));
    free(hits);
}
END_TEST

/* Every truncation says "more", the exact length gives the same answer. The copies on the heap let
 * a memory checker see reads beyond the end. */
static void check_truncation(const uint8_t *bytes, unsigned n, enum code_size size, void *arg)
{
    struct decoded whole, part;
    enum decode_status status = decode(bytes, n, size, &whole);
    unsigned len = whole.len;

    (void)arg;
    REQUIRE(status == DEC_OK || status == DEC_UD, bytes);
    for (unsigned i = 0; i <= len; i++) {
        uint8_t *copy = malloc(i ? i : 1);
        enum decode_status got;

        REQUIRE(copy != NULL, bytes);
        memcpy(copy, bytes, i);
        got = decode(copy, i, size, &part);
        REQUIRE(got == (i < len ? DEC_MORE : status), bytes);
        free(copy);
    }
    REQUIRE(part.len == len && part.op == whole.op, bytes);
}

START_TEST(truncation)
{
    sweep(CODE16, 7, check_truncation, NULL);
    sweep(CODE32, 7, check_truncation, NULL);
    sweep(CODE64, 7, check_truncation, NULL);
}
END_TEST

static void check_text_length(const uint8_t *bytes, unsigned n, enum code_size size, void *arg)
{
    struct decoded d;
    char big[96], small[8];
    size_t len;

    (void)arg;
    (void)decode(bytes, n, size, &d);
    len = disasm(&d, UINT64_C(0xfffffffffffffff0), big, sizeof big);
    REQUIRE(len < sizeof big, bytes);
    REQUIRE(disasm(&d, UINT64_C(0xfffffffffffffff0), small, sizeof small) == len, bytes);
    REQUIRE(strncmp(big, small, sizeof small - 1) == 0, bytes);
    REQUIRE(strlen(small) < sizeof small, bytes);
}

START_TEST(text_fits)
{
    struct decoded d;

    sweep(CODE16, 7, check_text_length, NULL);
    sweep(CODE32, 7, check_text_length, NULL);
    sweep(CODE64, 7, check_text_length, NULL);
    ck_assert_int_eq(decode_hex("90", CODE32, &d), DEC_OK);
    ck_assert_uint_eq(disasm(&d, 0, NULL, 0), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *tc = tcase_create("decode");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, addressing_16);
    tcase_add_test(tc, addressing_32);
    tcase_add_test(tc, addressing_64);
    tcase_add_test(tc, floating_point);
    tcase_add_test(tc, simd);
    tcase_add_test(tc, reserved_forms);
    tcase_add_test(tc, lock_prefix);
    tcase_add_test(tc, segments);
    tcase_add_test(tc, fields);
    tcase_add_test(tc, flag_masks);
    tcase_add_test(tc, length_limit);
    tcase_add_test(tc, every_row_is_reached);
    tcase_add_test(tc, truncation);
    tcase_add_test(tc, text_fits);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
