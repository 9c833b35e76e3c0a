// SPDX-License-Identifier: MIT
//
// Differences between the copies: at pads, and in registers and memories.

#pragma once

#include "chip.h"

namespace {

void Sim::observe() {
    W different = 0;
    for (const Special &special : specials)
        activated |= table_differs(special);
    for (size_t i = 0; i < outputs.size(); i++) {
        W here = nets[outputs[i]] ^ spread(nets[outputs[i]]);
        if (here & ~different & ~noticed)
            notice(here & ~different, int(i));
        different |= here;
    }
    if (!watched.empty()) {
        W hash = 14695981039346656037u;
        for (size_t i = 0; i < watched.size(); i += 64) {
            W word = 0;
            for (size_t j = i; j < std::min(i + 64, watched.size()); j++)
                word |= (nets[watched[j]] & 1) << (j - i);
            hash = (hash ^ word) * 1099511628211u;
            hash ^= hash >> 29;
        }
        hashes.push_back(hash);
    }
}

void Sim::notice(W copies, int output) {
    for (W rest = copies & ~noticed; rest; rest &= rest - 1) {
        int copy = __builtin_ctzll(rest);
        noticed_at[copy] = cycles;
        noticed_by[copy] = output;
    }
    noticed |= copies;
    if (!(copies & 1) && floating == spread(floating))
        drop(copies);
}

W Sim::table_differs(const Special &special) const {
    const Cell &cell = cells[special.cell];
    if (cell.kind > ALU)
        return 0;
    W a = get(cell, 0), b = get(cell, 1), c = get(cell, 2), d = get(cell, 3);
    const W *table = special.table;
    unsigned own = cell.parameters[0];
    W high = evaluate(table, a, b, c, d), different = high ^ evaluate(own, a, b, c, d);
    if (cell.kind == ALU)  // where the carry does not propagate, two inputs generate it
        different |= ~high & (evaluate(table, a, b, 0, 0) ^ evaluate(own, a, b, 0, 0));
    return different;
}

// A copy that has differed becomes copy 0 again: then it costs no evaluations.
void Sim::drop(W copies) {
    for (W &word : nets)
        word = mux(copies, word, spread(word));
    for (W &word : state)
        word = mux(copies, word, spread(word));
    for (W &word : last_clock)
        word = mux(copies, word, spread(word));
    for (Special &special : specials) {
        for (Reroute &way : special.reroutes)
            way.copies &= ~copies;
        for (W &word : special.table)
            word = mux(copies, word, spread(word));
    }
}

// Copies in which a register or memory differs from copy 0. Tables, routes and modes are not compared.
W Sim::differing() const {
    W different = 0;
    auto look = [&](const W *words, int count) {
        for (int i = 0; i < count; i++)
            different |= words[i] ^ spread(words[i]);
    };
    for (const Cell &cell : cells) {
        const int *outs = &pins[cell.out];
        switch (cell.kind) {
        case DFF: look(&nets[outs[0]], 1); break;
        case MULT: look(&state[cell.state], 36), look(&state[cell.state + 72], 72); break;
        case BSRAM:
            look(&state[cell.state], MEMORY_BITS);
            for (int i = 0; i < 2 * PORT_OUTS; i++)
                look(&nets[outs[i]], 1);
            break;
        case RAM16: look(&state[cell.state], 64);
        }
    }
    look(last_clock.data(), int(last_clock.size()));
    return different;
}

}  // namespace
