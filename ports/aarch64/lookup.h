// SPDX-License-Identifier: MIT
// What is remembered of earlier look-ups: lookup.c, qstr_find.c.
#ifndef PORT_LOOKUP_H
#define PORT_LOOKUP_H

// Memory was freed: it has addresses that are no references.
void lookup_restart(void);
void qstr_find_restart(void);

#endif
