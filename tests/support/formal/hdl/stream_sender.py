# SPDX-License-Identifier: MIT
"""The sender never has more under way than there is, than it was allowed, or than its ring."""

from typing import Any

from amaranth.hdl import Cat, Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.protocol import DEVICE_RETRIES, SHORT_PAYLOAD, TO_HOST_RING
from glintfpga.hdl.link.stream_sender import RETRY_TICKS, StreamSender
from support.formal.environment import Inside, always, assume, before, leave_free

__all__ = ["StreamSenderProperties"]


class StreamSenderProperties(Elaboratable):
    """For any acks and credits, true or not.

    Assumed: who writes the ring keeps ``committed`` within the ring behind ``oldest`` and lets it
    go back only after ``clear`` (`MessageWriterProperties`); an ack keeps its fields for two
    cycles, and four cycles pass to the next (`FrameReceiverProperties`); a frame is taken only
    while ``settled`` (`FrameWriter`).
    """

    def __init__(self, sender: StreamSender) -> None:
        self.sender = sender

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.sender
        size = dut.sizes
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        held = Signal(16)
        m.d.comb += held.eq(dut.write.committed - dut.write.oldest)
        cleared = before(m, dut.clear)
        grown = (dut.write.committed - before(m, dut.write.committed))[:16]
        assume(m, held <= size.ring)
        assume(m, Mux(cleared, dut.write.committed == 0, grown <= size.ring))
        assume(m, ~dut.take | dut.settled)
        acks = [dut.ack_valid]
        for _ in range(3):
            acks.append(before(m, acks[-1]))
        assume(m, sum(acks) <= 1)
        for field in (dut.ack, dut.credit, dut.empty):
            assume(m, ~(acks[1] | acks[2]) | (field == before(m, field)))

        flight, window, step = dut.flight, inside["window"], inside["step"]
        allowed = Mux(held < window, held, window)
        always(m, "sent and not acked: at most what is kept", flight <= held)
        always(m, "sent and not acked: at most the ring", flight <= size.ring)
        always(m, "the window is at most the host's ring", window <= TO_HOST_RING)
        acked = (dut.write.oldest - before(m, dut.write.oldest))[:16]
        fair = acked <= before(m, held)
        always(m, "offsets only grow, and not past what is kept", fair | cleared)
        always(m, "no frame is longer than there is room for", dut.sendable <= size.payload)
        short = ~before(m, dut.long)
        always(m, "nor than the rate allows", ~short | (dut.sendable <= SHORT_PAYLOAD))
        ready = dut.sendable != 0
        always(m, "frames keep within window and ring", ~ready | (flight + dut.sendable <= allowed))
        always(
            m,
            "frames follow on what was sent",
            ~dut.settled | (dut.offset == (dut.write.oldest + flight)[:16]),
        )
        always(m, "a rewind sends from the oldest byte", ~before(m, dut.retry) | (flight == 0))
        always(m, "retries are counted", inside["tries"] <= DEVICE_RETRIES)
        always(m, "so is the time", inside["waited"] <= RETRY_TICKS)
        # The receiver's credit is right again two cycles after a frame.
        always(m, "no frame is begun while credits change", ~(dut.settled & (acks[1] | acks[2])))
        rest_1 = before(m, ~inside["moved"])
        rest_2 = rest_1 & before(m, rest_1)
        rest_3 = rest_2 & before(m, rest_2)
        always(m, "three quiet cycles settle it", ~rest_3 | dut.settled)

        # What makes it so.
        stages, quiet = inside["stages"], inside["quiet"]
        always(m, "an ack is in its stage", (stages[0] == acks[1]) | cleared)
        always(m, "and in the next", (stages[1] == acks[2]) | cleared | before(m, cleared))
        always(m, "no stage after clear", ~cleared | (stages == 0))
        right = (step == (dut.ack - dut.write.oldest)[:16]) & (step <= held)
        always(m, "a known ack is kept", ~inside["apply"] | right)
        always(
            m,
            "a step counts from the oldest",
            ~stages[0] | (step == (dut.ack - dut.write.oldest)[:16]),
        )
        always(m, "no ack is under way when quiet", ~quiet[0] | ~stages.any())
        always(m, "quiet counts cycles", quiet == Cat(rest_1, rest_2, rest_3))
        behind = inside["held"] <= held
        always(m, "what is kept is never overrated", ~(quiet[0] | stages.any()) | behind)
        limit, rest = inside["limit"], inside["rest"]
        always(m, "nor is the limit", ~quiet[1] | (limit <= allowed))
        always(m, "nor is the rest", ~quiet[2] | (rest + flight <= allowed))

        longest = dut.sendable == Mux(short, SHORT_PAYLOAD, size.payload)
        m.d.comb += Cover(dut.take & longest & ~short, "a long frame is sent")
        m.d.comb += Cover(dut.take & longest & short, "the longest at a slow rate")
        m.d.comb += Cover(before(m, inside["apply"]) & (acked == 7), "bytes are acked")
        m.d.comb += Cover(dut.retry, "a rewind")
        return m
