// SPDX-License-Identifier: MIT
// Strings interned by this port that no source file mentions.

Q(regs) // completed by the tab key before anybody has named it
