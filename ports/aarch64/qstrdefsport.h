// SPDX-License-Identifier: MIT
// Strings interned by this port that no source file mentions.
