// SPDX-License-Identifier: MIT
//
// Power-up: fan-out of each net, initial values of registers and memories, mutations of copies.

#pragma once

#include "chip.h"

namespace {

void Sim::connect() {
    readers.assign(nets.size(), {});
    odd.clear();
    asynchronous.clear();
    is_odd.assign(units.size(), 0);
    clock_is_data = false;
    for (int number = 0; number < int(units.size()); number++) {
        const Unit &unit = units[number];
        const Cell &cell = cells[unit.cell];
        bool timed = number >= combinational;
        int from = 0, to = 0;
        switch (cell.kind) {
        case LUT: to = 4; break;
        case ALU: to = 5; break;
        case DFF: to = 4; break;
        case MULT: to = timed ? 41 : 38; break;
        case BSRAM: from = PORT_PINS * unit.port; to = from + PORT_PINS; break;
        case RAM16: from = timed ? 0 : 10; to = timed ? 10 : 14; break;
        }
        int own = timed ? clock_pin(unit) : -1;
        bool plain = timed && pins[cell.in + own] == clock;
        auto reads = [&](int pin, int net) {
            if (timed && pin == own) {
                plain = plain && net == clock;
                return;
            }
            if (net > 2 && (readers[net].empty() || readers[net].back() != number))
                readers[net].push_back(number);
            clock_is_data |= net == clock;
        };
        for (int pin = from; pin < to; pin++)
            reads(pin, pins[cell.in + pin]);
        if (cell.special >= 0)
            for (const Reroute &way : specials[cell.special].reroutes)
                if (from <= way.pin && way.pin < to)
                    reads(way.pin, way.net);
        if (cell.kind == DFF) {
            plain = plain && !state[cell.state + 2];
            if (state[cell.state + 1])
                asynchronous.push_back(unit.cell);
        }
        if (timed && !plain && pins[cell.in + own] > 2) {
            odd.push_back(number);
            is_odd[number] = 1;
        } else if (timed && !plain) {
            is_odd[number] = 1;  // no clock at all, or one in some copies only
            if (cell.special >= 0)
                odd.push_back(number);
        }
    }
    first_reader.assign(1, 0);
    all_readers.clear();
    for (const auto &units_of : readers) {
        all_readers.insert(all_readers.end(), units_of.begin(), units_of.end());
        first_reader.push_back(int(all_readers.size()));
    }
}

void Sim::power_up() {
    std::fill(nets.begin(), nets.end(), 0);
    nets[1] = ALL;
    nets[2] = floating;
    connect();
    for (const Cell &cell : cells)
        if (cell.kind == DFF)
            nets[pins[cell.out]] = state[cell.state];
    last_clock.assign(units.size(), 0);
    for (int number : odd)
        odd_edges(number);
    dirty.assign((units.size() + 63) / 64, 0);
    for (int number = 0; number < int(units.size()); number++)
        mark(number);
    cycles = noticed = oscillating = latched = activated = collisions = 0;
    garbage.clear();
    std::fill(used_entries.begin(), used_entries.end(), 0);
    std::fill(touched.begin(), touched.end(), 0);
    hashes.clear();
    line.power_up();
    if (rx >= 0)
        put(rx, ALL);
}

// Make every copy the good chip: contents, modes and routes.
void Sim::restore() {
    specials.clear();
    size_t used = 0;
    for (Cell &cell : cells) {
        cell.special = -1;
        W *words = &state[cell.state];
        const int *value = cell.parameters;
        switch (cell.kind) {
        case DFF:
            for (int i = 0; i < 3; i++)
                words[i] = spread(value[i]);
            break;
        case MULT:
            std::fill(words, words + 144, 0);
            for (int i = 0; i < 4; i++)
                words[144 + i] = spread(value[1 + i]);
            break;
        case BSRAM:
            for (int i = 0; i < MEMORY_BITS; i++)
                words[i] = spread(contents[used + i / 64] >> i % 64);
            used += MEMORY_BITS / 64;
            for (int port = 0; port < 2; port++)
                for (int mode = 1; mode < 3; mode++)
                    words[MEMORY_BITS + 2 * port + mode - 1] =
                        value[2 * port + 1] == mode ? ALL : 0;
            break;
        case RAM16:
            for (int i = 0; i < 64; i++)
                words[i] = spread(W(value[i / 16]) >> i % 16);
            break;
        }
    }
}

Special &Sim::special(int index) {
    Cell &cell = cells[index];
    if (cell.special < 0) {
        cell.special = int(specials.size());
        specials.push_back({index, {}, {0}});
        for (int i = 0; i < 16; i++)
            specials.back().table[i] = spread(W(cell.parameters[0]) >> i);
    }
    return specials[cell.special];
}

}  // namespace
