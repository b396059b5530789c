// SPDX-License-Identifier: MIT
// Room for the table of words boot/start.S must adjust when it runs elsewhere than linked. relr.py fills it.

    .section .relr, "a"
    .balign 8
    .space 2560
