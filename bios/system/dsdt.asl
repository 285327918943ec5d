/*
 * Differentiated system description table: the parts of the board that no register describes.
 *
 * Documents: ACPI 1.0 (names, _PRT, sleep states), Intel 82371SB (PIRQRC), 82371AB.
 * The C preprocessor and iasl make dsdt.aml of it, which the BIOS holds as data (mkdsdt.sh).  Revision 1:
 * old systems know only 32-bit integers.  The power button is a fixed feature: it has no device here.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 1, "OXBOW ", "OXBOWPC ", 1)
{
    /* Suspend to RAM and soft off; the values go to the sleep type field of PM1a control. */
    Name (\_S3, Package (4) {1, 0, 0, 0})
    Name (\_S5, Package (4) {0, 0, 0, 0})

    Scope (\_PR)
    {
        Processor (CPU0, 0, 0, 0) {}
    }

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0xFF, 0, 0x100)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0xE0000000, 0xFEBFFFFF, 0, 0x1EC00000)
            })

            /* Pin p of slot s drives PIRQ (s + p - 1) mod 4; the power management's is the SCI. */
#define SLOT(adr, a, b, c, d) \
                Package (4) {adr, 0, a, 0}, Package (4) {adr, 1, b, 0}, \
                Package (4) {adr, 2, c, 0}, Package (4) {adr, 3, d, 0}
#define SLOT_A(adr) SLOT (adr, LNKA, LNKB, LNKC, LNKD)
#define SLOT_B(adr) SLOT (adr, LNKB, LNKC, LNKD, LNKA)
#define SLOT_C(adr) SLOT (adr, LNKC, LNKD, LNKA, LNKB)
#define SLOT_D(adr) SLOT (adr, LNKD, LNKA, LNKB, LNKC)
            Name (_PRT, Package ()
            {
                SLOT (0x0001FFFF, LNKS, LNKB, LNKC, LNKD),
                SLOT_B (0x0002FFFF), SLOT_C (0x0003FFFF), SLOT_D (0x0004FFFF), SLOT_A (0x0005FFFF),
                SLOT_B (0x0006FFFF), SLOT_C (0x0007FFFF), SLOT_D (0x0008FFFF), SLOT_A (0x0009FFFF),
                SLOT_B (0x000AFFFF), SLOT_C (0x000BFFFF), SLOT_D (0x000CFFFF), SLOT_A (0x000DFFFF),
                SLOT_B (0x000EFFFF), SLOT_C (0x000FFFFF), SLOT_D (0x0010FFFF), SLOT_A (0x0011FFFF),
                SLOT_B (0x0012FFFF), SLOT_C (0x0013FFFF), SLOT_D (0x0014FFFF), SLOT_A (0x0015FFFF),
                SLOT_B (0x0016FFFF), SLOT_C (0x0017FFFF), SLOT_D (0x0018FFFF), SLOT_A (0x0019FFFF),
                SLOT_B (0x001AFFFF), SLOT_C (0x001BFFFF), SLOT_D (0x001CFFFF), SLOT_A (0x001DFFFF),
                SLOT_B (0x001EFFFF), SLOT_C (0x001FFFFF)
            })

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (PIRC, PCI_Config, 0x60, 4)
                Field (PIRC, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8
                }

                Device (PIC)
                {
                    Name (_HID, EisaId ("PNP0000"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x20, 0x20, 1, 2)
                        IO (Decode16, 0xA0, 0xA0, 1, 2)
                        IRQNoFlags () {2}
                    })
                }

                Device (TIMR)
                {
                    Name (_HID, EisaId ("PNP0100"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x40, 0x40, 1, 4)
                        IRQNoFlags () {0}
                    })
                }

                Device (DMAC)
                {
                    Name (_HID, EisaId ("PNP0200"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x00, 0x00, 1, 0x10)
                        IO (Decode16, 0x81, 0x81, 1, 0x0F)
                        IO (Decode16, 0xC0, 0xC0, 1, 0x20)
                        DMA (Compatibility, NotBusMaster, Transfer8_16) {4}
                    })
                }

                Device (SPKR)
                {
                    Name (_HID, EisaId ("PNP0800"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x61, 0x61, 1, 1)
                    })
                }

                Device (FPU)
                {
                    Name (_HID, EisaId ("PNP0C04"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0xF0, 0xF0, 1, 2)
                        IRQNoFlags () {13}
                    })
                }

                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 1, 2)
                        IRQNoFlags () {8}
                    })
                }

                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x60, 0x60, 1, 1)
                        IO (Decode16, 0x64, 0x64, 1, 1)
                        IRQNoFlags () {1}
                    })
                }

                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IRQNoFlags () {12}
                    })
                }

                Device (FDC)
                {
                    Name (_HID, EisaId ("PNP0700"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03F2, 0x03F2, 0, 4)
                        IO (Decode16, 0x03F7, 0x03F7, 0, 1)
                        IRQNoFlags () {6}
                        DMA (Compatibility, NotBusMaster, Transfer8) {2}
                    })
                }

                Device (LPT)
                {
                    Name (_HID, EisaId ("PNP0400"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0378, 0x0378, 8, 8)
                        IRQNoFlags () {7}
                    })
                }

                /* A serial port that is not there reads FFh everywhere, its modem control never does. */
#define SERIAL(name, uid, port, irq) \
                Device (name) \
                { \
                    Name (_HID, EisaId ("PNP0501")) \
                    Name (_UID, uid) \
                    OperationRegion (REGS, SystemIO, port, 8) \
                    Field (REGS, ByteAcc, NoLock, Preserve) {Offset (4), MCR, 8} \
                    Method (_STA, 0, NotSerialized) \
                    { \
                        If (LEqual (MCR, 0xFF)) {Return (0)} \
                        Return (0x0F) \
                    } \
                    Name (_CRS, ResourceTemplate () \
                    { \
                        IO (Decode16, port, port, 8, 8) \
                        IRQNoFlags () {irq} \
                    }) \
                }
                SERIAL (COM1, 1, 0x03F8, 4)
                SERIAL (COM2, 2, 0x02F8, 3)
                SERIAL (COM3, 3, 0x03E8, 4)
                SERIAL (COM4, 4, 0x02E8, 3)

                /* What the board keeps for itself. */
                Device (MBRD)
                {
                    Name (_HID, EisaId ("PNP0C02"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x80, 0x80, 1, 1)
                        IO (Decode16, 0x92, 0x92, 1, 1)
                        IO (Decode16, 0xB2, 0xB2, 1, 2)
                        IO (Decode16, 0x04D0, 0x04D0, 1, 2)
                        IO (Decode16, 0x0510, 0x0510, 1, 0x0C)
                        IO (Decode16, 0x0600, 0x0600, 1, 0x40)
                        IO (Decode16, 0x0700, 0x0700, 1, 0x10)
                    })
                }

                Device (HPET)
                {
                    Name (_HID, EisaId ("PNP0103"))
                    OperationRegion (REGS, SystemMemory, 0xFED00000, 8)
                    Field (REGS, DWordAcc, NoLock, Preserve) {CAPS, 32}
                    Method (_STA, 0, NotSerialized)
                    {
                        If (LEqual (ShiftRight (CAPS, 16), 0x8086)) {Return (0x0F)}
                        Return (0)
                    }
                    Name (_CRS, ResourceTemplate ()
                    {
                        Memory32Fixed (ReadOnly, 0xFED00000, 0x400)
                    })
                }
            }
        }

        /* The router of the south bridge: bit 7 of a register disconnects, the rest is the IRQ. */
#define LINK(name, uid, reg) \
        Device (name) \
        { \
            Name (_HID, EisaId ("PNP0C0F")) \
            Name (_UID, uid) \
            Name (_PRS, ResourceTemplate () \
            { \
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {10, 11} \
            }) \
            Method (_STA, 0, NotSerialized) \
            { \
                If (And (reg, 0x80)) {Return (0x09)} \
                Return (0x0B) \
            } \
            Method (_DIS, 0, NotSerialized) \
            { \
                Or (reg, 0x80, reg) \
            } \
            Method (_CRS, 0, Serialized) \
            { \
                Name (BUF, ResourceTemplate () \
                { \
                    Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {0} \
                }) \
                CreateDWordField (BUF, 5, IRQN) \
                If (LNot (And (reg, 0x80))) {Store (reg, IRQN)} \
                Return (BUF) \
            } \
            Method (_SRS, 1, NotSerialized) \
            { \
                CreateDWordField (Arg0, 5, IRQN) \
                Store (IRQN, reg) \
            } \
        }
        LINK (LNKA, 1, ^^PCI0.ISA.PRQA)
        LINK (LNKB, 2, ^^PCI0.ISA.PRQB)
        LINK (LNKC, 3, ^^PCI0.ISA.PRQC)
        LINK (LNKD, 4, ^^PCI0.ISA.PRQD)

        /* The SCI has a wire of its own to IRQ 9. */
        Device (LNKS)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 5)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {9}
            })
            Name (_CRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {9}
            })
            Name (_STA, 0x0B)
            Method (_DIS, 0, NotSerialized) {}
            Method (_SRS, 1, NotSerialized) {}
        }
    }
}
