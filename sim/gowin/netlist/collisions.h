// SPDX-License-Identifier: MIT
//
// Read-write collisions: a block RAM word that one port reads at the edge at which the other port writes it is undefined
// on the chip. On request, all copies except copy 0 get random bits instead.

#pragma once

#include "chip.h"

namespace {

// xorshift64: the state is the word.
W Sim::next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
}

// `unit` is a port that writes to the word at `address` in the copies `write`.
void Sim::poison(const Unit &unit, const Cell &cell, W write, const W *address) {
    int other = 1 - unit.port, pin = PORT_PINS * other;
    int width = cell.parameters[2 * other];
    if (!width || pins[cell.in + pin] != pins[cell.in + PORT_PINS * unit.port])
        return;
    auto spare = [](int columns) { return columns / 8 == 1 ? 0 : columns / 8 == 2 ? 1 : 2; };
    int mine = spare(cell.parameters[2 * unit.port]), its = spare(width);
    W modes = state[cell.state + MEMORY_BITS + 2 * other + 1];  // copies that read before they write
    W hit = write & get(cell, pin + 1) & (~get(cell, pin + 2) | modes);
    for (int line = std::max(mine, its); line < 11; line++)  // address bits of a byte
        hit &= ~(address[line - mine] ^ get(cell, pin + 3 + line - its));
    collisions += hit & 1;
    if (!(hit & ~W(1)))
        return;
    for (int i = 0; i < width; i++)
        garbage.push_back({pins[cell.out + PORT_OUTS * other + i], hit & ~W(1)});
}

}  // namespace
