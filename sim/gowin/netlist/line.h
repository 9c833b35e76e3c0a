// SPDX-License-Identifier: MIT
//
// The host's UART on the line of copy 0: 8N1, any ratio of clock to baud through a 32-bit phase accumulator, a queue of
// bytes each way. It records when the line toggles, and can replay such a recording instead of its queue.

#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace {

struct Line {
    std::deque<uint8_t> to_chip, from_chip;
    uint32_t step = 0, phase_out = 0, frame = 0, phase_in = 0, bits = 0, errors = 0;
    int left = 0;
    bool level = true, rx_level = true;
    std::vector<uint64_t> sent_edges, received_edges, replay;
    size_t replayed = 0;

    // The level to the chip in cycle `cycles`.
    bool send(uint64_t cycles) {
        if (!replay.empty()) {
            while (replayed < replay.size() && replay[replayed] <= cycles)
                level = !level, replayed++;
            return level;
        }
        bool was = level;
        if (frame <= 1 && !to_chip.empty()) {
            frame = uint32_t(to_chip.front()) << 1 | 3u << 9;
            to_chip.pop_front();
            phase_out = 0;
        }
        level = true;
        if (frame > 1) {
            level = frame & 1;
            phase_out += step;
            if (phase_out < step)
                frame >>= 1;
        }
        if (level != was)
            sent_edges.push_back(cycles);
        return level;
    }

    // Receive the level from the chip; returns whether a byte is complete.
    bool receive(uint64_t cycles, bool line) {
        if (line != rx_level)
            received_edges.push_back(cycles);
        rx_level = line;
        if (left == 0) {
            if (line)
                return false;
            left = 10;
            phase_in = 1u << 31;
        }
        phase_in += step;
        if (phase_in >= step)
            return false;
        bits = bits >> 1 | uint32_t(line) << 9;
        if (left == 10 && line) {
            left = 0;
            return false;
        }
        if (--left)
            return false;
        if (!line) {
            errors++;
            return false;
        }
        from_chip.push_back(uint8_t(bits >> 1));
        return true;
    }

    // Idle, with empty queues; the rate and the recording to replay are kept.
    void power_up() {
        to_chip.clear(), from_chip.clear();
        sent_edges.clear(), received_edges.clear();
        replayed = 0;
        phase_out = frame = phase_in = bits = errors = 0;
        left = 0;
        level = rx_level = true;
    }
};

}  // namespace
