// SPDX-License-Identifier: MIT
// A prompt, whatever was typed: see prompt.c.
#ifndef PORT_PROMPT_H
#define PORT_PROMPT_H

// Scripts, then the REPL until it is left by Ctrl-D, or cannot go on.
void prompt_session(void);

#endif
