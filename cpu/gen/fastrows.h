/*
 * What the specialised layer contains (notation: fastgen.c).  Rows were chosen from the share of
 * forms in a whole Linux boot and its programs; a form is in or out for all registers alike.
 */
#define P BIT(PLAIN)
#define NF BIT(NO_FLAGS)
#define J BIT(FUSED)

static const struct row rows[] = {
    /* moves */
    {"mov32", "_rr", P, "ds", "ds"},
    {"mov32", "_ri", P, "d", "d"},
    {"mov32", "_rm", P, "dB,dA,dN,dG", "dB,dA,dG"},
    {"mov32", "_mr", P, "sB,sA,sN,sG", "sB,sA,sG"},
    {"mov32", "_mi", P, "B,A,V", "B,A"},
    {"mov8", "_rr", P, "ds", ""},
    {"mov8", "_ri", P, "d", ""},
    {"mov8", "_rm", P, "dB,dA,dN,dG", "dB,dG"},
    {"mov8", "_mr", P, "sB,sA,sN,sG", "sB,sG"},
    {"mov8", "_mi", P, "B,A,V", "B"},
    {"mov16", "_rm", P, "dB,dA,dG", ""},
    {"mov16", "_mr", P, "sB,sA,sG", "sG"},
    {"mov16", "_mi", P, "B,A", ""},
    {"movzx32", "_r8", P, "ds", "d"},
    {"movzx32", "_r16", P, "ds", "d"},
    {"movzx32", "_m8", P, "dB,dA,dN,dG", "dB,dG"},
    {"movzx32", "_m16", P, "dB,dA,dN,dG", "dB,dG"},
    {"movsx32", "_r8", P, "ds", ""},
    {"movsx32", "_r16", P, "ds", ""},
    {"movsx32", "_m8", P, "dB,dA,dG", "dG"},
    {"movsx32", "_m16", P, "dB,dA,dG", "dG"},
    {"lea32", "_r", P, "dB,dA,dN,dG", "dB,dG"},
    {"xchg32", "_rr", P, "ds", ""},
    {"bswap32", "", P, "d", ""},

    /* stack and transfers */
    {"push32", "_r", P, "s", "s"},
    {"push32", "_m", P, "B,A,V", "B"},
    {"pop32", "_r", P, "d", "d"},
    {"jmp32 call32", "_r", P, "d", ""},
    {"jmp32 call32", "_m", P, "B,A,V", ""},

    /* arithmetic in registers */
    {"add32 sub32 xor32", "_rr", P | NF, "ds", "ds"},
    {"and32 or32", "_rr", P | NF, "ds", "d"},
    {"adc32 sbb32 cmp32 test32", "_rr", P, "ds", "d"},
    {"add32 or32 and32 sub32 xor32", "_ri", P | NF, "d", "d"},
    {"adc32 sbb32 cmp32 test32", "_ri", P, "d", "d"},
    {"inc32 dec32 neg32", "_r", P | NF, "d", "d"},
    {"not32", "_r", P, "d", "d"},
    {"shl32 shr32 sar32 rol32 ror32", "_ri", P | NF, "d", "d"},
    {"shl32 shr32 sar32", "_rc", P | NF, "d", "d"},
    {"shld32 shrd32", "_rri", P | NF, "ds", ""},
    {"imul232", "_rr", P | NF, "ds", "d"},
    {"imul332", "_rri", P | NF, "ds", "d"},
    {"mul32 imul32 div32 idiv32", "_r", P, "d", ""},

    /* arithmetic with memory */
    {"add32 or32 and32 sub32 xor32", "_rm", P | NF, "dB,dA,dG", "dB,dG"},
    {"adc32 sbb32 cmp32", "_rm", P, "dB,dA,dG", "dG"},
    {"imul232", "_rm", P, "dB,dA,dG", ""},
    {"add32 or32 and32 sub32 xor32", "_mr", P, "sB,sA,sG", "sG"},
    {"cmp32 test32", "_mr", P, "sB,sA,sG", "sG"},
    {"add32 or32 and32 sub32 cmp32 test32", "_mi", P, "B,A,V", "B"},
    {"inc32 dec32", "_m", P, "B,A,V", "B"},
    {"div32 mul32 imul32", "_m", P, "B", ""},

    /* bytes and words */
    {"add8 sub8 and8 or8 xor8 cmp8 test8", "_ri", P, "d", ""},
    {"add8 sub8 and8 or8 xor8 cmp8 test8", "_rr", P, "ds", ""},
    {"add8 xor8 cmp8", "_rm", P, "dB,dA,dG", "dG"},
    {"cmp8 test8", "_mr", P, "sB,sA,sG", "sG"},
    {"cmp8 test8 and8 or8", "_mi", P, "B,A,V", "B"},
    {"inc8 dec8", "_r", P, "d", ""},
    {"shl8 shr8", "_ri", P, "d", ""},
    {"cmp16 add16 and16 shr16", "_ri", P, "d", ""},
    {"cmp16 test16", "_rr", P, "ds", ""},
    {"cmp16", "_mi", P, "B,A,V", "B"},
    {"cmp16", "_rm", P, "dB,dA,dG", ""},
    {"cmp16", "_mr", P, "sB,sA,sG", ""},

    /* conditions and bits */
    {"setb setnb setz setnz setbe setnbe sets setns setl setnl setle setnle", "_r", P, "d", ""},
    {"cmovb32 cmovnb32 cmovz32 cmovnz32 cmovbe32 cmovnbe32 cmovs32 cmovns32 cmovl32 cmovnl32 "
     "cmovle32 cmovnle32",
     "_rr", P, "ds", ""},
    {"cmovb32 cmovnb32 cmovz32 cmovnz32 cmovbe32 cmovnbe32 cmovs32 cmovns32 cmovl32 cmovnl32 "
     "cmovle32 cmovnle32",
     "_rm", P, "dG", ""},
    {"bt32 bts32 btr32", "_rr", P, "ds", ""},
    {"bt32 bts32 btr32", "_ri", P, "d", ""},
    {"bt32", "_mi", P, "B,A,V", ""},

    /* joined to the conditional branch behind */
    {"cmp32", "_rr", J, "ds", "d"},
    {"cmp32", "_ri", J, "d", "d"},
    {"cmp32", "_rm", J, "dB,dA,dG", "G"},
    {"cmp32", "_mr", J, "sB,sA,sG", "G"},
    {"cmp32", "_mi", J, "B,A,G", "B,G"},
    {"test32", "_rr", J, "D", "D"},
    {"test32", "_ri", J, "d", ""},
    {"test32", "_mi", J, "B,A,G", ""},
    {"test8", "_rr", J, "D", ""},
    {"test8", "_ri", J, "d", ""},
    {"test8", "_mi", J, "B,A,G", "G"},
    {"cmp8", "_ri", J, "d", "d"},
    {"cmp8", "_rm", J, "dG", "G"},
    {"cmp8", "_mr", J, "sB,sA,sG", "G"},
    {"cmp8", "_mi", J, "B,A,G", "B,G"},
    {"cmp16", "_mi", J, "B,A,G", ""},
    {"cmp16", "_ri", J, "d", ""},
    {"inc32 dec32", "_r", J, "d", "d"},
    {"dec32", "_m", J, "B,A,G", ""},
    {"and32 sub32 add32", "_ri", J, "d", "d"},
    {"or32 and32", "_rr", J, "D", ""},
    {"shr32", "_ri", J, "d", ""},
};

#undef P
#undef NF
#undef J
