// SPDX-License-Identifier: MIT
// The EL1 and EL0 system registers that belong to a vCPU: the rows of save class EL1 in sysregs.def,
// numbered. World switch, reset, cpu.sysreg and the dump are all made from el1_rows.def.
#ifndef HV_EL1_STATE_H
#define HV_EL1_STATE_H

enum {
    #define EL1_ROW(name, op0, op1, crn, crm, op2) EL1_##name,
    #include "vm/el1_rows.def"
    EL1_COUNT
};

#endif
