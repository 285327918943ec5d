/* disasm.h - text of a decoded instruction, Intel syntax in the manner of NASM.
 *
 * Uses only struct decoded and the mnemonic table, so it can never disagree with the decoder.
 */
#ifndef OXBOW_CPU_DISASM_H
#define OXBOW_CPU_DISASM_H

#include <stddef.h>
#include <stdint.h>

struct decoded;

/* Write the text of *d, which lies at address ip (offset in its code segment), to buf: at most len
 * bytes including the terminating NUL. Returns the length of the whole text, as snprintf does; 96
 * bytes are always enough. */
size_t disasm(const struct decoded *d, uint64_t ip, char *buf, size_t len);

/* Name of an operation as in opname.def (mnemonic without condition or size suffix). */
const char *disasm_mnemonic(unsigned op);

#endif
