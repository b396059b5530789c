# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from hv_native/core/sysregs.def.
"""System registers by name, live, on the core that runs Python."""

from typing import Final, Self

class Register:
    """A system register: prints as its fields, which are attributes too. Any encoding has a name: S3_1_C15_C2_1.

    Fault when this core does not have it. HCR_EL2(value) is a number seen and changed by its fields.
    """

    name: Final[str]
    """Its name."""
    enc: Final[int]
    """Its encoding, op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2; 0 for a mere layout."""
    access: Final[str]
    """"RW", "RO", "WO", "SYS" for an instruction such as TLBI_ALLE2, "" for a layout."""
    fields: Final[dict[str, tuple[int, int]]]
    """{name: (high bit, low bit)}, by the names of the ARM ARM."""
    def __init__(self, register: str | int, /) -> None: ...
    def read(self) -> int:
        """Its value, 64 bits."""
    def write(self, value: int, *, unsafe: bool = False) -> None:
        """Write it, with the barriers that needs. ValueError, with the reason, for what EL2 or its guest
        stands on, unless `unsafe`."""
    def decode(self, value: int = ..., /) -> str:
        """The fields of a value, or of its own, that are not zero."""
    def __call__(self, value: int, /) -> Self:
        """A number seen and changed by its fields; int() gives it back."""
    def __int__(self) -> int: ...

def names() -> tuple[str, ...]:
    """The names of all registers in the table."""

def __getattr__(name: str) -> Register: ...

class _PSTATE(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    SS: int  # [21]
    IL: int  # [20]
    D: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    M: int  # [4:0]
PSTATE: _PSTATE
class _NZCV(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
NZCV: _NZCV
class _DAIF(Register):
    D: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
DAIF: _DAIF
class _CurrentEL(Register):
    EL: int  # [3:2]
CurrentEL: _CurrentEL
class _SPSel(Register):
    SP: int  # [0]
SPSel: _SPSel
class _FPCR(Register):
    AHP: int  # [26]
    DN: int  # [25]
    FZ: int  # [24]
    RMode: int  # [23:22]
    Stride: int  # [21:20]
    Len: int  # [18:16]
    IDE: int  # [15]
    IXE: int  # [12]
    UFE: int  # [11]
    OFE: int  # [10]
    DZE: int  # [9]
    IOE: int  # [8]
FPCR: _FPCR
class _FPSR(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    QC: int  # [27]
    IDC: int  # [7]
    IXC: int  # [4]
    UFC: int  # [3]
    OFC: int  # [2]
    DZC: int  # [1]
    IOC: int  # [0]
FPSR: _FPSR
class _MIDR_EL1(Register):
    Implementer: int  # [31:24]
    Variant: int  # [23:20]
    Architecture: int  # [19:16]
    PartNum: int  # [15:4]
    Revision: int  # [3:0]
MIDR_EL1: _MIDR_EL1
class _MPIDR_EL1(Register):
    Aff3: int  # [39:32]
    U: int  # [30]
    MT: int  # [24]
    Aff2: int  # [23:16]
    Aff1: int  # [15:8]
    Aff0: int  # [7:0]
MPIDR_EL1: _MPIDR_EL1
REVIDR_EL1: Register
AIDR_EL1: Register
ID_PFR0_EL1: Register
ID_PFR1_EL1: Register
ID_DFR0_EL1: Register
ID_AFR0_EL1: Register
ID_MMFR0_EL1: Register
ID_MMFR1_EL1: Register
ID_MMFR2_EL1: Register
ID_MMFR3_EL1: Register
ID_ISAR0_EL1: Register
ID_ISAR1_EL1: Register
ID_ISAR2_EL1: Register
ID_ISAR3_EL1: Register
ID_ISAR4_EL1: Register
ID_ISAR5_EL1: Register
ID_MMFR4_EL1: Register
MVFR0_EL1: Register
MVFR1_EL1: Register
MVFR2_EL1: Register
class _ID_AA64PFR0_EL1(Register):
    CSV3: int  # [63:60]
    CSV2: int  # [59:56]
    RME: int  # [55:52]
    DIT: int  # [51:48]
    AMU: int  # [47:44]
    MPAM: int  # [43:40]
    SEL2: int  # [39:36]
    SVE: int  # [35:32]
    RAS: int  # [31:28]
    GIC: int  # [27:24]
    AdvSIMD: int  # [23:20]
    FP: int  # [19:16]
    EL3: int  # [15:12]
    EL2: int  # [11:8]
    EL1: int  # [7:4]
    EL0: int  # [3:0]
ID_AA64PFR0_EL1: _ID_AA64PFR0_EL1
class _ID_AA64PFR1_EL1(Register):
    NMI: int  # [39:36]
    CSV2_frac: int  # [35:32]
    RNDR_trap: int  # [31:28]
    SME: int  # [27:24]
    MPAM_frac: int  # [19:16]
    RAS_frac: int  # [15:12]
    MTE: int  # [11:8]
    SSBS: int  # [7:4]
    BT: int  # [3:0]
ID_AA64PFR1_EL1: _ID_AA64PFR1_EL1
ID_AA64ZFR0_EL1: Register
ID_AA64SMFR0_EL1: Register
class _ID_AA64DFR0_EL1(Register):
    HPMN0: int  # [63:60]
    ExtTrcBuff: int  # [59:56]
    BRBE: int  # [55:52]
    MTPMU: int  # [51:48]
    TraceBuffer: int  # [47:44]
    TraceFilt: int  # [43:40]
    DoubleLock: int  # [39:36]
    PMSVer: int  # [35:32]
    CTX_CMPs: int  # [31:28]
    SEBEP: int  # [27:24]
    WRPs: int  # [23:20]
    PMSS: int  # [19:16]
    BRPs: int  # [15:12]
    PMUVer: int  # [11:8]
    TraceVer: int  # [7:4]
    DebugVer: int  # [3:0]
ID_AA64DFR0_EL1: _ID_AA64DFR0_EL1
ID_AA64DFR1_EL1: Register
ID_AA64AFR0_EL1: Register
ID_AA64AFR1_EL1: Register
class _ID_AA64ISAR0_EL1(Register):
    RNDR: int  # [63:60]
    TLB: int  # [59:56]
    TS: int  # [55:52]
    FHM: int  # [51:48]
    DP: int  # [47:44]
    SM4: int  # [43:40]
    SM3: int  # [39:36]
    SHA3: int  # [35:32]
    RDM: int  # [31:28]
    TME: int  # [27:24]
    Atomic: int  # [23:20]
    CRC32: int  # [19:16]
    SHA2: int  # [15:12]
    SHA1: int  # [11:8]
    AES: int  # [7:4]
ID_AA64ISAR0_EL1: _ID_AA64ISAR0_EL1
class _ID_AA64ISAR1_EL1(Register):
    LS64: int  # [63:60]
    XS: int  # [59:56]
    I8MM: int  # [55:52]
    DGH: int  # [51:48]
    BF16: int  # [47:44]
    SPECRES: int  # [43:40]
    SB: int  # [39:36]
    FRINTTS: int  # [35:32]
    GPI: int  # [31:28]
    GPA: int  # [27:24]
    LRCPC: int  # [23:20]
    FCMA: int  # [19:16]
    JSCVT: int  # [15:12]
    API: int  # [11:8]
    APA: int  # [7:4]
    DPB: int  # [3:0]
ID_AA64ISAR1_EL1: _ID_AA64ISAR1_EL1
class _ID_AA64ISAR2_EL1(Register):
    CLRBHB: int  # [31:28]
    PAC_frac: int  # [27:24]
    BC: int  # [23:20]
    MOPS: int  # [19:16]
    APA3: int  # [15:12]
    GPA3: int  # [11:8]
    RPRES: int  # [7:4]
    WFxT: int  # [3:0]
ID_AA64ISAR2_EL1: _ID_AA64ISAR2_EL1
class _ID_AA64MMFR0_EL1(Register):
    ECV: int  # [63:60]
    FGT: int  # [59:56]
    ExS: int  # [47:44]
    TGran4_2: int  # [43:40]
    TGran64_2: int  # [39:36]
    TGran16_2: int  # [35:32]
    TGran4: int  # [31:28]
    TGran64: int  # [27:24]
    TGran16: int  # [23:20]
    BigEndEL0: int  # [19:16]
    SNSMem: int  # [15:12]
    BigEnd: int  # [11:8]
    ASIDBits: int  # [7:4]
    PARange: int  # [3:0]
ID_AA64MMFR0_EL1: _ID_AA64MMFR0_EL1
class _ID_AA64MMFR1_EL1(Register):
    ECBHB: int  # [63:60]
    CMOW: int  # [59:56]
    TIDCP1: int  # [55:52]
    nTLBPA: int  # [51:48]
    AFP: int  # [47:44]
    HCX: int  # [43:40]
    ETS: int  # [39:36]
    TWED: int  # [35:32]
    XNX: int  # [31:28]
    SpecSEI: int  # [27:24]
    PAN: int  # [23:20]
    LO: int  # [19:16]
    HPDS: int  # [15:12]
    VH: int  # [11:8]
    VMIDBits: int  # [7:4]
    HAFDBS: int  # [3:0]
ID_AA64MMFR1_EL1: _ID_AA64MMFR1_EL1
class _ID_AA64MMFR2_EL1(Register):
    E0PD: int  # [63:60]
    EVT: int  # [59:56]
    BBM: int  # [55:52]
    TTL: int  # [51:48]
    FWB: int  # [43:40]
    IDS: int  # [39:36]
    AT: int  # [35:32]
    ST: int  # [31:28]
    NV: int  # [27:24]
    CCIDX: int  # [23:20]
    VARange: int  # [19:16]
    IESB: int  # [15:12]
    LSM: int  # [11:8]
    UAO: int  # [7:4]
    CnP: int  # [3:0]
ID_AA64MMFR2_EL1: _ID_AA64MMFR2_EL1
class _CTR_EL0(Register):
    DIC: int  # [29]
    IDC: int  # [28]
    CWG: int  # [27:24]
    ERG: int  # [23:20]
    DminLine: int  # [19:16]
    L1Ip: int  # [15:14]
    IminLine: int  # [3:0]
CTR_EL0: _CTR_EL0
class _DCZID_EL0(Register):
    DZP: int  # [4]
    BS: int  # [3:0]
DCZID_EL0: _DCZID_EL0
class _CLIDR_EL1(Register):
    ICB: int  # [32:30]
    LoUU: int  # [29:27]
    LoC: int  # [26:24]
    LoUIS: int  # [23:21]
    Ctype7: int  # [20:18]
    Ctype6: int  # [17:15]
    Ctype5: int  # [14:12]
    Ctype4: int  # [11:9]
    Ctype3: int  # [8:6]
    Ctype2: int  # [5:3]
    Ctype1: int  # [2:0]
CLIDR_EL1: _CLIDR_EL1
class _CCSIDR_EL1(Register):
    WT: int  # [31]
    WB: int  # [30]
    RA: int  # [29]
    WA: int  # [28]
    NumSets: int  # [27:13]
    Associativity: int  # [12:3]
    LineSize: int  # [2:0]
CCSIDR_EL1: _CCSIDR_EL1
class _CSSELR_EL1(Register):
    Level: int  # [3:1]
    InD: int  # [0]
CSSELR_EL1: _CSSELR_EL1
class _SCTLR_EL1(Register):
    UCI: int  # [26]
    EE: int  # [25]
    E0E: int  # [24]
    WXN: int  # [19]
    nTWE: int  # [18]
    nTWI: int  # [16]
    UCT: int  # [15]
    DZE: int  # [14]
    I: int  # [12]
    UMA: int  # [9]
    SED: int  # [8]
    ITD: int  # [7]
    CP15BEN: int  # [5]
    SA0: int  # [4]
    SA: int  # [3]
    C: int  # [2]
    A: int  # [1]
    M: int  # [0]
SCTLR_EL1: _SCTLR_EL1
ACTLR_EL1: Register
class _CPACR_EL1(Register):
    TTA: int  # [28]
    FPEN: int  # [21:20]
CPACR_EL1: _CPACR_EL1
class _TTBR0_EL1(Register):
    ASID: int  # [63:48]
    BADDR: int  # [47:0]
TTBR0_EL1: _TTBR0_EL1
class _TTBR1_EL1(Register):
    ASID: int  # [63:48]
    BADDR: int  # [47:0]
TTBR1_EL1: _TTBR1_EL1
class _TCR_EL1(Register):
    TBI1: int  # [38]
    TBI0: int  # [37]
    AS: int  # [36]
    IPS: int  # [34:32]
    TG1: int  # [31:30]
    SH1: int  # [29:28]
    ORGN1: int  # [27:26]
    IRGN1: int  # [25:24]
    EPD1: int  # [23]
    A1: int  # [22]
    T1SZ: int  # [21:16]
    TG0: int  # [15:14]
    SH0: int  # [13:12]
    ORGN0: int  # [11:10]
    IRGN0: int  # [9:8]
    EPD0: int  # [7]
    T0SZ: int  # [5:0]
TCR_EL1: _TCR_EL1
class _SPSR_EL1(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    SS: int  # [21]
    IL: int  # [20]
    D: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    M: int  # [4:0]
SPSR_EL1: _SPSR_EL1
ELR_EL1: Register
SP_EL0: Register
SP_EL1: Register
AFSR0_EL1: Register
AFSR1_EL1: Register
class _ESR_EL1(Register):
    EC: int  # [31:26]
    IL: int  # [25]
    ISS: int  # [24:0]
ESR_EL1: _ESR_EL1
FAR_EL1: Register
class _PAR_EL1(Register):
    ATTR: int  # [63:56]
    PA: int  # [47:12]
    NS: int  # [9]
    SH: int  # [8:7]
    FST: int  # [6:1]
    F: int  # [0]
PAR_EL1: _PAR_EL1
class _MAIR_EL1(Register):
    Attr7: int  # [63:56]
    Attr6: int  # [55:48]
    Attr5: int  # [47:40]
    Attr4: int  # [39:32]
    Attr3: int  # [31:24]
    Attr2: int  # [23:16]
    Attr1: int  # [15:8]
    Attr0: int  # [7:0]
MAIR_EL1: _MAIR_EL1
AMAIR_EL1: Register
VBAR_EL1: Register
class _ISR_EL1(Register):
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
ISR_EL1: _ISR_EL1
class _CONTEXTIDR_EL1(Register):
    PROCID: int  # [31:0]
CONTEXTIDR_EL1: _CONTEXTIDR_EL1
TPIDR_EL1: Register
TPIDR_EL0: Register
TPIDRRO_EL0: Register
class _VPIDR_EL2(Register):
    Implementer: int  # [31:24]
    Variant: int  # [23:20]
    Architecture: int  # [19:16]
    PartNum: int  # [15:4]
    Revision: int  # [3:0]
VPIDR_EL2: _VPIDR_EL2
class _VMPIDR_EL2(Register):
    Aff3: int  # [39:32]
    U: int  # [30]
    MT: int  # [24]
    Aff2: int  # [23:16]
    Aff1: int  # [15:8]
    Aff0: int  # [7:0]
VMPIDR_EL2: _VMPIDR_EL2
class _SCTLR_EL2(Register):
    EE: int  # [25]
    WXN: int  # [19]
    I: int  # [12]
    SA: int  # [3]
    C: int  # [2]
    A: int  # [1]
    M: int  # [0]
SCTLR_EL2: _SCTLR_EL2
class _ACTLR_EL2(Register):
    L2ACTLR: int  # [6]
    L2ECTLR: int  # [5]
    L2CTLR: int  # [4]
    CPUECTLR: int  # [1]
    CPUACTLR: int  # [0]
ACTLR_EL2: _ACTLR_EL2
class _HCR_EL2(Register):
    TID5: int  # [58]
    DCT: int  # [57]
    ATA: int  # [56]
    TTLBOS: int  # [55]
    TTLBIS: int  # [54]
    EnSCXT: int  # [53]
    TOCU: int  # [52]
    AMVOFFEN: int  # [51]
    TICAB: int  # [50]
    TID4: int  # [49]
    FIEN: int  # [47]
    FWB: int  # [46]
    NV2: int  # [45]
    AT: int  # [44]
    NV1: int  # [43]
    NV: int  # [42]
    API: int  # [41]
    APK: int  # [40]
    MIOCNCE: int  # [38]
    TEA: int  # [37]
    TERR: int  # [36]
    TLOR: int  # [35]
    E2H: int  # [34]
    ID: int  # [33]
    CD: int  # [32]
    RW: int  # [31]
    TRVM: int  # [30]
    HCD: int  # [29]
    TDZ: int  # [28]
    TGE: int  # [27]
    TVM: int  # [26]
    TTLB: int  # [25]
    TPU: int  # [24]
    TPC: int  # [23]
    TSW: int  # [22]
    TACR: int  # [21]
    TIDCP: int  # [20]
    TSC: int  # [19]
    TID3: int  # [18]
    TID2: int  # [17]
    TID1: int  # [16]
    TID0: int  # [15]
    TWE: int  # [14]
    TWI: int  # [13]
    DC: int  # [12]
    BSU: int  # [11:10]
    FB: int  # [9]
    VSE: int  # [8]
    VI: int  # [7]
    VF: int  # [6]
    AMO: int  # [5]
    IMO: int  # [4]
    FMO: int  # [3]
    PTW: int  # [2]
    SWIO: int  # [1]
    VM: int  # [0]
HCR_EL2: _HCR_EL2
class _MDCR_EL2(Register):
    TDRA: int  # [11]
    TDOSA: int  # [10]
    TDA: int  # [9]
    TDE: int  # [8]
    HPME: int  # [7]
    TPM: int  # [6]
    TPMCR: int  # [5]
    HPMN: int  # [4:0]
MDCR_EL2: _MDCR_EL2
class _CPTR_EL2(Register):
    TCPAC: int  # [31]
    TTA: int  # [20]
    TFP: int  # [10]
CPTR_EL2: _CPTR_EL2
class _HSTR_EL2(Register):
    T15: int  # [15]
    T13: int  # [13]
    T12: int  # [12]
    T11: int  # [11]
    T10: int  # [10]
    T9: int  # [9]
    T8: int  # [8]
    T7: int  # [7]
    T6: int  # [6]
    T5: int  # [5]
    T3: int  # [3]
    T2: int  # [2]
    T1: int  # [1]
    T0: int  # [0]
HSTR_EL2: _HSTR_EL2
HACR_EL2: Register
class _TTBR0_EL2(Register):
    BADDR: int  # [47:0]
TTBR0_EL2: _TTBR0_EL2
class _TCR_EL2(Register):
    TBI: int  # [20]
    PS: int  # [18:16]
    TG0: int  # [15:14]
    SH0: int  # [13:12]
    ORGN0: int  # [11:10]
    IRGN0: int  # [9:8]
    T0SZ: int  # [5:0]
TCR_EL2: _TCR_EL2
class _VTTBR_EL2(Register):
    VMID: int  # [63:48]
    BADDR: int  # [47:0]
VTTBR_EL2: _VTTBR_EL2
class _VTCR_EL2(Register):
    PS: int  # [18:16]
    TG0: int  # [15:14]
    SH0: int  # [13:12]
    ORGN0: int  # [11:10]
    IRGN0: int  # [9:8]
    SL0: int  # [7:6]
    T0SZ: int  # [5:0]
VTCR_EL2: _VTCR_EL2
class _SPSR_EL2(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    SS: int  # [21]
    IL: int  # [20]
    D: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    M: int  # [4:0]
SPSR_EL2: _SPSR_EL2
ELR_EL2: Register
AFSR0_EL2: Register
AFSR1_EL2: Register
class _ESR_EL2(Register):
    EC: int  # [31:26]
    IL: int  # [25]
    ISS: int  # [24:0]
ESR_EL2: _ESR_EL2
FAR_EL2: Register
class _HPFAR_EL2(Register):
    FIPA: int  # [39:4]
HPFAR_EL2: _HPFAR_EL2
class _MAIR_EL2(Register):
    Attr7: int  # [63:56]
    Attr6: int  # [55:48]
    Attr5: int  # [47:40]
    Attr4: int  # [39:32]
    Attr3: int  # [31:24]
    Attr2: int  # [23:16]
    Attr1: int  # [15:8]
    Attr0: int  # [7:0]
MAIR_EL2: _MAIR_EL2
AMAIR_EL2: Register
VBAR_EL2: Register
RVBAR_EL2: Register
class _RMR_EL2(Register):
    RR: int  # [1]
    AA64: int  # [0]
RMR_EL2: _RMR_EL2
TPIDR_EL2: Register
class _DACR32_EL2(Register):
    D15: int  # [31:30]
    D14: int  # [29:28]
    D13: int  # [27:26]
    D12: int  # [25:24]
    D11: int  # [23:22]
    D10: int  # [21:20]
    D9: int  # [19:18]
    D8: int  # [17:16]
    D7: int  # [15:14]
    D6: int  # [13:12]
    D5: int  # [11:10]
    D4: int  # [9:8]
    D3: int  # [7:6]
    D2: int  # [5:4]
    D1: int  # [3:2]
    D0: int  # [1:0]
DACR32_EL2: _DACR32_EL2
class _IFSR32_EL2(Register):
    ExT: int  # [12]
    LPAE: int  # [9]
    STATUS: int  # [5:0]
IFSR32_EL2: _IFSR32_EL2
class _FPEXC32_EL2(Register):
    EX: int  # [31]
    EN: int  # [30]
    DEX: int  # [29]
    FP2V: int  # [28]
    VV: int  # [27]
    TFV: int  # [26]
    VECITR: int  # [10:8]
    IDF: int  # [7]
    IXF: int  # [4]
    UFF: int  # [3]
    OFF: int  # [2]
    DZF: int  # [1]
    IOF: int  # [0]
FPEXC32_EL2: _FPEXC32_EL2
class _SPSR_irq(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    Q: int  # [27]
    J: int  # [24]
    IL: int  # [20]
    GE: int  # [19:16]
    E: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    T: int  # [5]
    M: int  # [4:0]
SPSR_irq: _SPSR_irq
class _SPSR_abt(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    Q: int  # [27]
    J: int  # [24]
    IL: int  # [20]
    GE: int  # [19:16]
    E: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    T: int  # [5]
    M: int  # [4:0]
SPSR_abt: _SPSR_abt
class _SPSR_und(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    Q: int  # [27]
    J: int  # [24]
    IL: int  # [20]
    GE: int  # [19:16]
    E: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    T: int  # [5]
    M: int  # [4:0]
SPSR_und: _SPSR_und
class _SPSR_fiq(Register):
    N: int  # [31]
    Z: int  # [30]
    C: int  # [29]
    V: int  # [28]
    Q: int  # [27]
    J: int  # [24]
    IL: int  # [20]
    GE: int  # [19:16]
    E: int  # [9]
    A: int  # [8]
    I: int  # [7]
    F: int  # [6]
    T: int  # [5]
    M: int  # [4:0]
SPSR_fiq: _SPSR_fiq
CNTFRQ_EL0: Register
CNTPCT_EL0: Register
CNTVCT_EL0: Register
class _CNTKCTL_EL1(Register):
    EL0PTEN: int  # [9]
    EL0VTEN: int  # [8]
    EVNTI: int  # [7:4]
    EVNTDIR: int  # [3]
    EVNTEN: int  # [2]
    EL0VCTEN: int  # [1]
    EL0PCTEN: int  # [0]
CNTKCTL_EL1: _CNTKCTL_EL1
class _CNTP_TVAL_EL0(Register):
    TimerValue: int  # [31:0]
CNTP_TVAL_EL0: _CNTP_TVAL_EL0
class _CNTP_CTL_EL0(Register):
    ISTATUS: int  # [2]
    IMASK: int  # [1]
    ENABLE: int  # [0]
CNTP_CTL_EL0: _CNTP_CTL_EL0
CNTP_CVAL_EL0: Register
class _CNTV_TVAL_EL0(Register):
    TimerValue: int  # [31:0]
CNTV_TVAL_EL0: _CNTV_TVAL_EL0
class _CNTV_CTL_EL0(Register):
    ISTATUS: int  # [2]
    IMASK: int  # [1]
    ENABLE: int  # [0]
CNTV_CTL_EL0: _CNTV_CTL_EL0
CNTV_CVAL_EL0: Register
CNTVOFF_EL2: Register
class _CNTHCTL_EL2(Register):
    EVNTI: int  # [7:4]
    EVNTDIR: int  # [3]
    EVNTEN: int  # [2]
    EL1PCEN: int  # [1]
    EL1PCTEN: int  # [0]
CNTHCTL_EL2: _CNTHCTL_EL2
class _CNTHP_TVAL_EL2(Register):
    TimerValue: int  # [31:0]
CNTHP_TVAL_EL2: _CNTHP_TVAL_EL2
class _CNTHP_CTL_EL2(Register):
    ISTATUS: int  # [2]
    IMASK: int  # [1]
    ENABLE: int  # [0]
CNTHP_CTL_EL2: _CNTHP_CTL_EL2
CNTHP_CVAL_EL2: Register
class _PMCR_EL0(Register):
    IMP: int  # [31:24]
    IDCODE: int  # [23:16]
    N: int  # [15:11]
    LC: int  # [6]
    DP: int  # [5]
    X: int  # [4]
    D: int  # [3]
    C: int  # [2]
    P: int  # [1]
    E: int  # [0]
PMCR_EL0: _PMCR_EL0
class _PMCNTENSET_EL0(Register):
    C: int  # [31]
    P: int  # [30:0]
PMCNTENSET_EL0: _PMCNTENSET_EL0
class _PMCNTENCLR_EL0(Register):
    C: int  # [31]
    P: int  # [30:0]
PMCNTENCLR_EL0: _PMCNTENCLR_EL0
class _PMOVSCLR_EL0(Register):
    C: int  # [31]
    P: int  # [30:0]
PMOVSCLR_EL0: _PMOVSCLR_EL0
class _PMSWINC_EL0(Register):
    P: int  # [30:0]
PMSWINC_EL0: _PMSWINC_EL0
class _PMSELR_EL0(Register):
    SEL: int  # [4:0]
PMSELR_EL0: _PMSELR_EL0
PMCEID0_EL0: Register
PMCEID1_EL0: Register
PMCCNTR_EL0: Register
class _PMXEVTYPER_EL0(Register):
    P: int  # [31]
    U: int  # [30]
    NSK: int  # [29]
    NSU: int  # [28]
    NSH: int  # [27]
    M: int  # [26]
    MT: int  # [25]
    evtCount: int  # [15:0]
PMXEVTYPER_EL0: _PMXEVTYPER_EL0
PMXEVCNTR_EL0: Register
class _PMUSERENR_EL0(Register):
    ER: int  # [3]
    CR: int  # [2]
    SW: int  # [1]
    EN: int  # [0]
PMUSERENR_EL0: _PMUSERENR_EL0
class _PMOVSSET_EL0(Register):
    C: int  # [31]
    P: int  # [30:0]
PMOVSSET_EL0: _PMOVSSET_EL0
class _PMINTENSET_EL1(Register):
    C: int  # [31]
    P: int  # [30:0]
PMINTENSET_EL1: _PMINTENSET_EL1
class _PMINTENCLR_EL1(Register):
    C: int  # [31]
    P: int  # [30:0]
PMINTENCLR_EL1: _PMINTENCLR_EL1
PMEVCNTR0_EL0: Register
PMEVCNTR1_EL0: Register
PMEVCNTR2_EL0: Register
PMEVCNTR3_EL0: Register
PMEVCNTR4_EL0: Register
PMEVCNTR5_EL0: Register
PMEVCNTR6_EL0: Register
PMEVCNTR7_EL0: Register
PMEVCNTR8_EL0: Register
PMEVCNTR9_EL0: Register
PMEVCNTR10_EL0: Register
PMEVCNTR11_EL0: Register
PMEVCNTR12_EL0: Register
PMEVCNTR13_EL0: Register
PMEVCNTR14_EL0: Register
PMEVCNTR15_EL0: Register
PMEVCNTR16_EL0: Register
PMEVCNTR17_EL0: Register
PMEVCNTR18_EL0: Register
PMEVCNTR19_EL0: Register
PMEVCNTR20_EL0: Register
PMEVCNTR21_EL0: Register
PMEVCNTR22_EL0: Register
PMEVCNTR23_EL0: Register
PMEVCNTR24_EL0: Register
PMEVCNTR25_EL0: Register
PMEVCNTR26_EL0: Register
PMEVCNTR27_EL0: Register
PMEVCNTR28_EL0: Register
PMEVCNTR29_EL0: Register
PMEVCNTR30_EL0: Register
class _PMEVTYPER0_EL0(Register):
    P: int  # [31]
    U: int  # [30]
    NSK: int  # [29]
    NSU: int  # [28]
    NSH: int  # [27]
    M: int  # [26]
    MT: int  # [25]
    evtCount: int  # [15:0]
PMEVTYPER0_EL0: _PMEVTYPER0_EL0
PMEVTYPER1_EL0: _PMEVTYPER0_EL0
PMEVTYPER2_EL0: _PMEVTYPER0_EL0
PMEVTYPER3_EL0: _PMEVTYPER0_EL0
PMEVTYPER4_EL0: _PMEVTYPER0_EL0
PMEVTYPER5_EL0: _PMEVTYPER0_EL0
PMEVTYPER6_EL0: _PMEVTYPER0_EL0
PMEVTYPER7_EL0: _PMEVTYPER0_EL0
PMEVTYPER8_EL0: _PMEVTYPER0_EL0
PMEVTYPER9_EL0: _PMEVTYPER0_EL0
PMEVTYPER10_EL0: _PMEVTYPER0_EL0
PMEVTYPER11_EL0: _PMEVTYPER0_EL0
PMEVTYPER12_EL0: _PMEVTYPER0_EL0
PMEVTYPER13_EL0: _PMEVTYPER0_EL0
PMEVTYPER14_EL0: _PMEVTYPER0_EL0
PMEVTYPER15_EL0: _PMEVTYPER0_EL0
PMEVTYPER16_EL0: _PMEVTYPER0_EL0
PMEVTYPER17_EL0: _PMEVTYPER0_EL0
PMEVTYPER18_EL0: _PMEVTYPER0_EL0
PMEVTYPER19_EL0: _PMEVTYPER0_EL0
PMEVTYPER20_EL0: _PMEVTYPER0_EL0
PMEVTYPER21_EL0: _PMEVTYPER0_EL0
PMEVTYPER22_EL0: _PMEVTYPER0_EL0
PMEVTYPER23_EL0: _PMEVTYPER0_EL0
PMEVTYPER24_EL0: _PMEVTYPER0_EL0
PMEVTYPER25_EL0: _PMEVTYPER0_EL0
PMEVTYPER26_EL0: _PMEVTYPER0_EL0
PMEVTYPER27_EL0: _PMEVTYPER0_EL0
PMEVTYPER28_EL0: _PMEVTYPER0_EL0
PMEVTYPER29_EL0: _PMEVTYPER0_EL0
PMEVTYPER30_EL0: _PMEVTYPER0_EL0
class _PMCCFILTR_EL0(Register):
    P: int  # [31]
    U: int  # [30]
    NSK: int  # [29]
    NSU: int  # [28]
    NSH: int  # [27]
    M: int  # [26]
PMCCFILTR_EL0: _PMCCFILTR_EL0
class _MDSCR_EL1(Register):
    RXfull: int  # [30]
    TXfull: int  # [29]
    RXO: int  # [27]
    TXU: int  # [26]
    INTdis: int  # [23:22]
    TDA: int  # [21]
    MDE: int  # [15]
    HDE: int  # [14]
    KDE: int  # [13]
    TDCC: int  # [12]
    ERR: int  # [6]
    SS: int  # [0]
MDSCR_EL1: _MDSCR_EL1
DBGBVR0_EL1: Register
DBGBVR1_EL1: Register
DBGBVR2_EL1: Register
DBGBVR3_EL1: Register
DBGBVR4_EL1: Register
DBGBVR5_EL1: Register
DBGBVR6_EL1: Register
DBGBVR7_EL1: Register
DBGBVR8_EL1: Register
DBGBVR9_EL1: Register
DBGBVR10_EL1: Register
DBGBVR11_EL1: Register
DBGBVR12_EL1: Register
DBGBVR13_EL1: Register
DBGBVR14_EL1: Register
DBGBVR15_EL1: Register
class _DBGBCR0_EL1(Register):
    BT: int  # [23:20]
    LBN: int  # [19:16]
    SSC: int  # [15:14]
    HMC: int  # [13]
    BAS: int  # [8:5]
    PMC: int  # [2:1]
    E: int  # [0]
DBGBCR0_EL1: _DBGBCR0_EL1
DBGBCR1_EL1: _DBGBCR0_EL1
DBGBCR2_EL1: _DBGBCR0_EL1
DBGBCR3_EL1: _DBGBCR0_EL1
DBGBCR4_EL1: _DBGBCR0_EL1
DBGBCR5_EL1: _DBGBCR0_EL1
DBGBCR6_EL1: _DBGBCR0_EL1
DBGBCR7_EL1: _DBGBCR0_EL1
DBGBCR8_EL1: _DBGBCR0_EL1
DBGBCR9_EL1: _DBGBCR0_EL1
DBGBCR10_EL1: _DBGBCR0_EL1
DBGBCR11_EL1: _DBGBCR0_EL1
DBGBCR12_EL1: _DBGBCR0_EL1
DBGBCR13_EL1: _DBGBCR0_EL1
DBGBCR14_EL1: _DBGBCR0_EL1
DBGBCR15_EL1: _DBGBCR0_EL1
DBGWVR0_EL1: Register
DBGWVR1_EL1: Register
DBGWVR2_EL1: Register
DBGWVR3_EL1: Register
DBGWVR4_EL1: Register
DBGWVR5_EL1: Register
DBGWVR6_EL1: Register
DBGWVR7_EL1: Register
DBGWVR8_EL1: Register
DBGWVR9_EL1: Register
DBGWVR10_EL1: Register
DBGWVR11_EL1: Register
DBGWVR12_EL1: Register
DBGWVR13_EL1: Register
DBGWVR14_EL1: Register
DBGWVR15_EL1: Register
class _DBGWCR0_EL1(Register):
    MASK: int  # [28:24]
    WT: int  # [20]
    LBN: int  # [19:16]
    SSC: int  # [15:14]
    HMC: int  # [13]
    BAS: int  # [12:5]
    LSC: int  # [4:3]
    PAC: int  # [2:1]
    E: int  # [0]
DBGWCR0_EL1: _DBGWCR0_EL1
DBGWCR1_EL1: _DBGWCR0_EL1
DBGWCR2_EL1: _DBGWCR0_EL1
DBGWCR3_EL1: _DBGWCR0_EL1
DBGWCR4_EL1: _DBGWCR0_EL1
DBGWCR5_EL1: _DBGWCR0_EL1
DBGWCR6_EL1: _DBGWCR0_EL1
DBGWCR7_EL1: _DBGWCR0_EL1
DBGWCR8_EL1: _DBGWCR0_EL1
DBGWCR9_EL1: _DBGWCR0_EL1
DBGWCR10_EL1: _DBGWCR0_EL1
DBGWCR11_EL1: _DBGWCR0_EL1
DBGWCR12_EL1: _DBGWCR0_EL1
DBGWCR13_EL1: _DBGWCR0_EL1
DBGWCR14_EL1: _DBGWCR0_EL1
DBGWCR15_EL1: _DBGWCR0_EL1
class _MDCCINT_EL1(Register):
    RX: int  # [30]
    TX: int  # [29]
MDCCINT_EL1: _MDCCINT_EL1
class _MDCCSR_EL0(Register):
    RXfull: int  # [30]
    TXfull: int  # [29]
MDCCSR_EL0: _MDCCSR_EL0
DBGDTR_EL0: Register
DBGDTRRX_EL0: Register
DBGDTRTX_EL0: Register
OSDTRRX_EL1: Register
OSDTRTX_EL1: Register
class _OSECCR_EL1(Register):
    EDECCR: int  # [31:0]
OSECCR_EL1: _OSECCR_EL1
class _MDRAR_EL1(Register):
    ROMADDR: int  # [47:12]
    Valid: int  # [1:0]
MDRAR_EL1: _MDRAR_EL1
class _OSLAR_EL1(Register):
    OSLK: int  # [0]
OSLAR_EL1: _OSLAR_EL1
class _OSLSR_EL1(Register):
    OSLM1: int  # [3]
    nTT: int  # [2]
    OSLK: int  # [1]
    OSLM0: int  # [0]
OSLSR_EL1: _OSLSR_EL1
class _OSDLR_EL1(Register):
    DLK: int  # [0]
OSDLR_EL1: _OSDLR_EL1
class _DBGPRCR_EL1(Register):
    CORENPDRQ: int  # [0]
DBGPRCR_EL1: _DBGPRCR_EL1
class _DBGCLAIMSET_EL1(Register):
    CLAIM: int  # [7:0]
DBGCLAIMSET_EL1: _DBGCLAIMSET_EL1
class _DBGCLAIMCLR_EL1(Register):
    CLAIM: int  # [7:0]
DBGCLAIMCLR_EL1: _DBGCLAIMCLR_EL1
class _DBGAUTHSTATUS_EL1(Register):
    SNID: int  # [7:6]
    SID: int  # [5:4]
    NSNID: int  # [3:2]
    NSID: int  # [1:0]
DBGAUTHSTATUS_EL1: _DBGAUTHSTATUS_EL1
class _DBGVCR32_EL2(Register):
    NSF: int  # [31]
    NSI: int  # [30]
    NSD: int  # [28]
    NSP: int  # [27]
    NSS: int  # [26]
    NSU: int  # [25]
    SF: int  # [7]
    SI: int  # [6]
    SD: int  # [4]
    SP: int  # [3]
    SS: int  # [2]
    SU: int  # [1]
DBGVCR32_EL2: _DBGVCR32_EL2
class _ICC_PMR_EL1(Register):
    Priority: int  # [7:0]
ICC_PMR_EL1: _ICC_PMR_EL1
ICC_IAR0_EL1: Register
class _ICC_EOIR0_EL1(Register):
    INTID: int  # [23:0]
ICC_EOIR0_EL1: _ICC_EOIR0_EL1
class _ICC_HPPIR0_EL1(Register):
    INTID: int  # [23:0]
ICC_HPPIR0_EL1: _ICC_HPPIR0_EL1
class _ICC_BPR0_EL1(Register):
    BinaryPoint: int  # [2:0]
ICC_BPR0_EL1: _ICC_BPR0_EL1
ICC_AP0R0_EL1: Register
ICC_AP0R1_EL1: Register
ICC_AP0R2_EL1: Register
ICC_AP0R3_EL1: Register
ICC_AP1R0_EL1: Register
ICC_AP1R1_EL1: Register
ICC_AP1R2_EL1: Register
ICC_AP1R3_EL1: Register
class _ICC_DIR_EL1(Register):
    INTID: int  # [23:0]
ICC_DIR_EL1: _ICC_DIR_EL1
class _ICC_RPR_EL1(Register):
    Priority: int  # [7:0]
ICC_RPR_EL1: _ICC_RPR_EL1
class _ICC_SGI1R_EL1(Register):
    Aff3: int  # [55:48]
    RS: int  # [47:44]
    IRM: int  # [40]
    Aff2: int  # [39:32]
    INTID: int  # [27:24]
    Aff1: int  # [23:16]
    TargetList: int  # [15:0]
ICC_SGI1R_EL1: _ICC_SGI1R_EL1
class _ICC_ASGI1R_EL1(Register):
    Aff3: int  # [55:48]
    RS: int  # [47:44]
    IRM: int  # [40]
    Aff2: int  # [39:32]
    INTID: int  # [27:24]
    Aff1: int  # [23:16]
    TargetList: int  # [15:0]
ICC_ASGI1R_EL1: _ICC_ASGI1R_EL1
class _ICC_SGI0R_EL1(Register):
    Aff3: int  # [55:48]
    RS: int  # [47:44]
    IRM: int  # [40]
    Aff2: int  # [39:32]
    INTID: int  # [27:24]
    Aff1: int  # [23:16]
    TargetList: int  # [15:0]
ICC_SGI0R_EL1: _ICC_SGI0R_EL1
ICC_IAR1_EL1: Register
class _ICC_EOIR1_EL1(Register):
    INTID: int  # [23:0]
ICC_EOIR1_EL1: _ICC_EOIR1_EL1
class _ICC_HPPIR1_EL1(Register):
    INTID: int  # [23:0]
ICC_HPPIR1_EL1: _ICC_HPPIR1_EL1
class _ICC_BPR1_EL1(Register):
    BinaryPoint: int  # [2:0]
ICC_BPR1_EL1: _ICC_BPR1_EL1
class _ICC_CTLR_EL1(Register):
    ExtRange: int  # [19]
    RSS: int  # [18]
    A3V: int  # [15]
    SEIS: int  # [14]
    IDbits: int  # [13:11]
    PRIbits: int  # [10:8]
    PMHE: int  # [6]
    EOImode: int  # [1]
    CBPR: int  # [0]
ICC_CTLR_EL1: _ICC_CTLR_EL1
class _ICC_SRE_EL1(Register):
    DIB: int  # [2]
    DFB: int  # [1]
    SRE: int  # [0]
ICC_SRE_EL1: _ICC_SRE_EL1
class _ICC_IGRPEN0_EL1(Register):
    Enable: int  # [0]
ICC_IGRPEN0_EL1: _ICC_IGRPEN0_EL1
class _ICC_IGRPEN1_EL1(Register):
    Enable: int  # [0]
ICC_IGRPEN1_EL1: _ICC_IGRPEN1_EL1
class _ICC_SRE_EL2(Register):
    Enable: int  # [3]
    DIB: int  # [2]
    DFB: int  # [1]
    SRE: int  # [0]
ICC_SRE_EL2: _ICC_SRE_EL2
ICH_AP0R0_EL2: Register
ICH_AP0R1_EL2: Register
ICH_AP0R2_EL2: Register
ICH_AP0R3_EL2: Register
ICH_AP1R0_EL2: Register
ICH_AP1R1_EL2: Register
ICH_AP1R2_EL2: Register
ICH_AP1R3_EL2: Register
class _ICH_HCR_EL2(Register):
    EOIcount: int  # [31:27]
    TDIR: int  # [14]
    TSEI: int  # [13]
    TALL1: int  # [12]
    TALL0: int  # [11]
    TC: int  # [10]
    VGrp1DIE: int  # [7]
    VGrp1EIE: int  # [6]
    VGrp0DIE: int  # [5]
    VGrp0EIE: int  # [4]
    NPIE: int  # [3]
    LRENPIE: int  # [2]
    UIE: int  # [1]
    En: int  # [0]
ICH_HCR_EL2: _ICH_HCR_EL2
class _ICH_VTR_EL2(Register):
    PRIbits: int  # [31:29]
    PREbits: int  # [28:26]
    IDbits: int  # [25:23]
    SEIS: int  # [22]
    A3V: int  # [21]
    nV4: int  # [20]
    TDS: int  # [19]
    ListRegs: int  # [4:0]
ICH_VTR_EL2: _ICH_VTR_EL2
class _ICH_MISR_EL2(Register):
    VGrp1D: int  # [7]
    VGrp1E: int  # [6]
    VGrp0D: int  # [5]
    VGrp0E: int  # [4]
    NP: int  # [3]
    LRENP: int  # [2]
    U: int  # [1]
    EOI: int  # [0]
ICH_MISR_EL2: _ICH_MISR_EL2
class _ICH_EISR_EL2(Register):
    Status: int  # [15:0]
ICH_EISR_EL2: _ICH_EISR_EL2
class _ICH_ELRSR_EL2(Register):
    Status: int  # [15:0]
ICH_ELRSR_EL2: _ICH_ELRSR_EL2
class _ICH_VMCR_EL2(Register):
    VPMR: int  # [31:24]
    VBPR0: int  # [23:21]
    VBPR1: int  # [20:18]
    VEOIM: int  # [9]
    VCBPR: int  # [4]
    VFIQEn: int  # [3]
    VAckCtl: int  # [2]
    VENG1: int  # [1]
    VENG0: int  # [0]
ICH_VMCR_EL2: _ICH_VMCR_EL2
class _ICH_LR0_EL2(Register):
    State: int  # [63:62]
    HW: int  # [61]
    Group: int  # [60]
    Priority: int  # [55:48]
    pINTID: int  # [44:32]
    vINTID: int  # [31:0]
ICH_LR0_EL2: _ICH_LR0_EL2
ICH_LR1_EL2: _ICH_LR0_EL2
ICH_LR2_EL2: _ICH_LR0_EL2
ICH_LR3_EL2: _ICH_LR0_EL2
ICH_LR4_EL2: _ICH_LR0_EL2
ICH_LR5_EL2: _ICH_LR0_EL2
ICH_LR6_EL2: _ICH_LR0_EL2
ICH_LR7_EL2: _ICH_LR0_EL2
ICH_LR8_EL2: _ICH_LR0_EL2
ICH_LR9_EL2: _ICH_LR0_EL2
ICH_LR10_EL2: _ICH_LR0_EL2
ICH_LR11_EL2: _ICH_LR0_EL2
ICH_LR12_EL2: _ICH_LR0_EL2
ICH_LR13_EL2: _ICH_LR0_EL2
ICH_LR14_EL2: _ICH_LR0_EL2
ICH_LR15_EL2: _ICH_LR0_EL2
class _L2CTLR_EL1(Register):
    Cores: int  # [25:24]
    CPUProt: int  # [22]
    L2Prot: int  # [21]
    L2In: int  # [5]
    L2Out: int  # [0]
L2CTLR_EL1: _L2CTLR_EL1
class _L2ECTLR_EL1(Register):
    L2IntErr: int  # [30]
    AXIErr: int  # [29]
    L2Ret: int  # [2:0]
L2ECTLR_EL1: _L2ECTLR_EL1
class _L2ACTLR_EL1(Register):
    L2Victim: int  # [31:30]
    L2DEIEN: int  # [29]
    L2TEIEN: int  # [24]
    UniqueClean: int  # [14]
    NoCleanPush: int  # [3]
L2ACTLR_EL1: _L2ACTLR_EL1
class _CPUACTLR_EL1(Register):
    ENDCCASCI: int  # [44]
    FPDIDIS: int  # [30]
    DIDIS: int  # [29]
    RADIS: int  # [28:27]
    L1RADIS: int  # [26:25]
    DTAH: int  # [24]
    STBPFRS: int  # [23]
    STBPFDIS: int  # [22]
    IFUTHDIS: int  # [21]
    NPFSTRM: int  # [20:19]
    DSTDIS: int  # [18]
    STRIDE: int  # [17]
    L1PCTL: int  # [15:13]
    DODMBS: int  # [10]
    L1DEIEN: int  # [6]
CPUACTLR_EL1: _CPUACTLR_EL1
class _CPUECTLR_EL1(Register):
    SMPEN: int  # [6]
    FPRETCTL: int  # [5:3]
    CPURETCTL: int  # [2:0]
CPUECTLR_EL1: _CPUECTLR_EL1
class _CPUMERRSR_EL1(Register):
    Fatal: int  # [63]
    Other: int  # [47:40]
    Repeat: int  # [39:32]
    Valid: int  # [31]
    RAMID: int  # [30:24]
    Way: int  # [20:18]
    Addr: int  # [11:0]
CPUMERRSR_EL1: _CPUMERRSR_EL1
class _L2MERRSR_EL1(Register):
    Fatal: int  # [63]
    Other: int  # [47:40]
    Repeat: int  # [39:32]
    Valid: int  # [31]
    RAMID: int  # [30:24]
    Way: int  # [21:18]
    Addr: int  # [16:3]
L2MERRSR_EL1: _L2MERRSR_EL1
class _CBAR_EL1(Register):
    PERIPHBASE: int  # [39:18]
CBAR_EL1: _CBAR_EL1
IC_IALLUIS: Register
IC_IALLU: Register
IC_IVAU: Register
DC_IVAC: Register
class _DC_ISW(Register):
    SetWay: int  # [31:4]
    Level: int  # [3:1]
DC_ISW: _DC_ISW
class _DC_CSW(Register):
    SetWay: int  # [31:4]
    Level: int  # [3:1]
DC_CSW: _DC_CSW
class _DC_CISW(Register):
    SetWay: int  # [31:4]
    Level: int  # [3:1]
DC_CISW: _DC_CISW
DC_ZVA: Register
DC_CVAC: Register
DC_CVAU: Register
DC_CIVAC: Register
AT_S1E1R: Register
AT_S1E1W: Register
AT_S1E0R: Register
AT_S1E0W: Register
AT_S1E2R: Register
AT_S1E2W: Register
AT_S12E1R: Register
AT_S12E1W: Register
AT_S12E0R: Register
AT_S12E0W: Register
TLBI_VMALLE1IS: Register
class _TLBI_VAE1IS(Register):
    ASID: int  # [63:48]
    VA: int  # [43:0]
TLBI_VAE1IS: _TLBI_VAE1IS
class _TLBI_ASIDE1IS(Register):
    ASID: int  # [63:48]
TLBI_ASIDE1IS: _TLBI_ASIDE1IS
class _TLBI_VAAE1IS(Register):
    VA: int  # [43:0]
TLBI_VAAE1IS: _TLBI_VAAE1IS
class _TLBI_VALE1IS(Register):
    ASID: int  # [63:48]
    VA: int  # [43:0]
TLBI_VALE1IS: _TLBI_VALE1IS
class _TLBI_VAALE1IS(Register):
    VA: int  # [43:0]
TLBI_VAALE1IS: _TLBI_VAALE1IS
TLBI_VMALLE1: Register
class _TLBI_VAE1(Register):
    ASID: int  # [63:48]
    VA: int  # [43:0]
TLBI_VAE1: _TLBI_VAE1
class _TLBI_ASIDE1(Register):
    ASID: int  # [63:48]
TLBI_ASIDE1: _TLBI_ASIDE1
class _TLBI_VAAE1(Register):
    VA: int  # [43:0]
TLBI_VAAE1: _TLBI_VAAE1
class _TLBI_VALE1(Register):
    ASID: int  # [63:48]
    VA: int  # [43:0]
TLBI_VALE1: _TLBI_VALE1
class _TLBI_VAALE1(Register):
    VA: int  # [43:0]
TLBI_VAALE1: _TLBI_VAALE1
class _TLBI_IPAS2E1IS(Register):
    IPA: int  # [35:0]
TLBI_IPAS2E1IS: _TLBI_IPAS2E1IS
class _TLBI_IPAS2LE1IS(Register):
    IPA: int  # [35:0]
TLBI_IPAS2LE1IS: _TLBI_IPAS2LE1IS
TLBI_ALLE2IS: Register
class _TLBI_VAE2IS(Register):
    VA: int  # [43:0]
TLBI_VAE2IS: _TLBI_VAE2IS
TLBI_ALLE1IS: Register
class _TLBI_VALE2IS(Register):
    VA: int  # [43:0]
TLBI_VALE2IS: _TLBI_VALE2IS
TLBI_VMALLS12E1IS: Register
class _TLBI_IPAS2E1(Register):
    IPA: int  # [35:0]
TLBI_IPAS2E1: _TLBI_IPAS2E1
class _TLBI_IPAS2LE1(Register):
    IPA: int  # [35:0]
TLBI_IPAS2LE1: _TLBI_IPAS2LE1
TLBI_ALLE2: Register
class _TLBI_VAE2(Register):
    VA: int  # [43:0]
TLBI_VAE2: _TLBI_VAE2
TLBI_ALLE1: Register
class _TLBI_VALE2(Register):
    VA: int  # [43:0]
TLBI_VALE2: _TLBI_VALE2
TLBI_VMALLS12E1: Register
