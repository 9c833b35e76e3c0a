# SPDX-License-Identifier: MIT
"""Loads an image into the core's memories, or reads it back from there, every field checked."""

from collections.abc import Callable

from amaranth.hdl import Array, Cat, Const, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.golden import GOLDEN_LANES
from glintfpga.firmware.blink.image_format import HEADER_BYTES, MAGIC, NO_EOS, VERSION, Section
from glintfpga.firmware.blink.layout import ALIGN, MAX_ROPE_DEN, ROWS
from glintfpga.firmware.wire.protocol import CRC_BYTES
from glintfpga.hdl.core_port import LoaderPort
from glintfpga.hdl.primitives.byte_crc import CrcBytes
from glintfpga.hdl.row.load_port import READ_CYCLES, LoadPort
from glintfpga.quant.blink.limits import LIMITS, Limits

__all__ = ["ImageLoader"]

CONFIG_ROWS = 3
QKV_BLOCK = 3 * ALIGN
FIELD_HEADER = 2
"""Type and length of a field of the info."""


class ImageLoader(wiring.Component):
    """Bytes of `firmware.blink.image` to rows of the core.

    The bytes are looked at as 16-bit words; each has one rule. The first broken one ends the load.
    Rows go to the core as they come, so the core's memories are worth something only after a load
    that ended with ``ok``. With ``check`` the same bytes come out of the memories: header and CRC
    from the info, rows from the core; nothing is written, and ``ok`` says that all of them are
    what was loaded.

    Latency: 3 cycles per word; 16 per row with ``check``.

    Parameters
    ----------
    config : DeviceConfig
        Its lanes and number plan; images of another plan are refused.
    image_at : int
        Where the image's field lies in the info, see `glintfpga.hdl.hello_layout.image_at`.
    limits : Limits
        The largest window, vocabulary, hidden size and number of passes: powers of 2.

    Members
    -------
    Those of `LoaderPort`, where ``golden`` is the value for these lanes, see
    `glintfpga.firmware.blink.golden`, and ``load``, to the core.
    """

    def __init__(self, config: DeviceConfig, *, image_at: int, limits: Limits = LIMITS):
        self.lanes = config.lanes
        self.plan = config.plan
        self.limits = limits
        self.crc_at = image_at + FIELD_HEADER
        super().__init__({**LoaderPort.flip().members, "load": Out(LoadPort)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.crc = crc = CrcBytes()
        limits = self.limits
        self._word = word = Signal(16)
        self._vocab = Signal(range(limits.vocab + 1))
        self._window = Signal(range(limits.window + 1))
        self._hidden = Signal(range(limits.hidden + 1))
        self._passes = Signal(range(limits.passes + 1))
        self._eos = Signal(16)
        self._rope_num = Signal(range(MAX_ROPE_DEN))
        self._rope_den = Signal(range(MAX_ROPE_DEN + 1))
        self._dot_rows = Signal(range(ROWS + 1))
        self._sum_rows = Signal(range(ROWS + 1))

        row = Signal(48)
        odd = Signal()
        in_header = Signal()
        in_tail = Signal()
        position = Signal(range(HEADER_BYTES + 1))
        section = Signal(range(len(Section)))
        index = Signal(12)
        number = Signal(range(3))  # of the row
        kind = Signal(range(3))  # of the row, within CONFIG or a pass
        moving = in_header | (number == 2)
        byte, accepted = self._bytes(m, in_header | in_tail, Cat(odd, number), moving)
        m.d.comb += [
            word.eq(row[32:]),
            self.load.read.eq(self.check),
            self.load.target.eq(section),
            self.load.index.eq(index),
            self.load.data.eq(row),
            crc.data.eq(byte),
            crc.valid.eq(accepted),
            crc.start.eq(self.start),
            self.info.data.eq(byte),
            self.info.address.eq(Mux(in_tail, self.crc_at, self.crc_at + CRC_BYTES) + position),
        ]
        passes_rows = Cat(self._passes, Const(0, 1)) + Cat(Const(0, 1), self._passes)
        counts = Array(
            [
                Const(CONFIG_ROWS),
                passes_rows,
                self._dot_rows,
                self._sum_rows,
                self._vocab,
                self._rope_den,
            ]
        )
        last_row = Signal()
        m.d.sync += last_row.eq(index + 1 == counts[section])

        good = Signal()
        judging = Signal()
        key = Mux(in_header, position[1:], 0)
        self._rules(m, key, Cat(number, kind, section), good, judging)

        m.d.sync += [self.done.eq(0), self.ok.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                # Wait for an image.
                m.d.sync += [
                    odd.eq(0),
                    in_header.eq(1),
                    in_tail.eq(0),
                    position.eq(0),
                    section.eq(0),
                    index.eq(0),
                    number.eq(0),
                    kind.eq(0),
                ]
                with m.If(self.start):
                    m.next = "BYTE"
            with m.State("BYTE"):
                # Take a byte; header and CRC go to the info, too.
                m.d.comb += self.i.ready.eq(1)
                with m.If(accepted):
                    m.d.comb += self.info.enable.eq((in_header | in_tail) & ~self.check)
                    m.d.sync += [row.eq(Cat(row[8:], byte)), odd.eq(~odd)]
                    with m.If(in_header | in_tail):
                        m.d.sync += position.eq(position + 1)
                    with m.If(in_tail):
                        with m.If(position == CRC_BYTES - 1):
                            m.next = "END"
                    with m.Elif(odd):
                        m.next = "WORD"
                with m.Elif(self.end & ~self.check):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"
                with m.If(self.stop):
                    m.next = "IDLE"
            with m.State("WORD"):
                # Judge the word; the third one completes a row.
                m.d.comb += judging.eq(1)
                m.next = "BYTE"
                with m.If(in_header):
                    with m.If(position == HEADER_BYTES):
                        m.d.sync += [in_header.eq(0), position.eq(0)]
                with m.Elif(number != 2):
                    m.d.sync += number.eq(number + 1)
                with m.Else():
                    m.d.comb += self.load.valid.eq(~self.check)
                    m.d.sync += [number.eq(0), kind.eq(Mux(kind == 2, 0, kind + 1))]
                    with m.If(~last_row):
                        m.d.sync += index.eq(index + 1)
                    with m.Elif(section != max(Section)):
                        m.d.sync += [section.eq(section + 1), index.eq(0)]
                    with m.Else():
                        m.d.sync += in_tail.eq(1)
                with m.If(~good):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"
                with m.If(self.stop):
                    m.next = "IDLE"
            with m.State("END"):
                # Nothing may follow, and the CRC must be right.
                m.d.sync += self.done.eq(1)
                m.d.sync += self.ok.eq((self.end | self.check) & ~self.stop & crc.match)
                m.next = "IDLE"
        return m

    def _bytes(
        self, m: Module, from_info: Value, place: Value, moving: Value
    ) -> tuple[Value, Value]:
        """The next byte of the image, and whether it is accepted now.

        ``place`` is that of the byte in its row. ``moving``, between words: the next one comes from
        another row or part, which needs `READ_CYCLES`; a byte of the info needs one.
        """
        byte = Signal(8)
        accepted = Signal()
        wait = Signal(range(READ_CYCLES + 1), init=READ_CYCLES)
        m.d.comb += [
            byte.eq(self.i.payload),
            accepted.eq(self.i.ready & Mux(self.check, wait == 0, self.i.valid)),
        ]
        with m.If(self.check):
            stored = self.load.stored.word_select(place, 8)
            m.d.comb += byte.eq(Mux(from_info, self.info_stored, stored))
        with m.If(accepted):
            m.d.sync += wait.eq(from_info)
        with m.Elif(~self.i.ready & moving):
            m.d.sync += wait.eq(READ_CYCLES)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        return byte, accepted

    def _rules(self, m: Module, key: Value, row_key: Value, good: Value, judging: Value) -> None:
        """Check the word. ``key`` is 1 + its number in the header, 0 for words of rows.

        Most words either equal a constant or an earlier word, or lie in ``1..2**n``, or are a base
        with enough rows behind it; each of these has its hardware once.
        """
        word = self._word
        equal = Signal()
        base = Signal()
        always = Signal()
        operand = Signal(16)
        extent = Signal(range(self.limits.vocab + 1))  # rows behind a base
        double = Signal()
        less = Signal(16)
        blocks = Signal(range(2 * self.limits.vocab // ALIGN))
        eights = (extent + (ALIGN - 1)) >> (ALIGN.bit_length() - 1)
        m.d.comb += [
            less.eq(word - 1),
            blocks.eq(Mux(double, eights << 1, eights)),
            good.eq(
                always | (equal & (word == operand)) | (base & (word + blocks <= ROWS // ALIGN))
            ),
        ]

        def must_equal(value: Value | int) -> None:
            m.d.comb += [equal.eq(1), operand.eq(value)]

        def must_fit(rows: Value | int, *, twice: bool = False) -> None:
            m.d.comb += [base.eq(1), extent.eq(rows), double.eq(twice)]

        def must(condition: Value) -> None:
            m.d.comb += always.eq(condition)

        def up_to(limit: int) -> Value:
            """The word is in 1..limit, a power of 2."""
            return (less >> _log2(limit)) == 0

        def keep(register: Value, value: Value = word) -> None:
            with m.If(judging):
                m.d.sync += register.eq(value)

        limits = self.limits
        constants = {
            0: int.from_bytes(MAGIC[:2], "little"),
            1: int.from_bytes(MAGIC[2:], "little"),
            2: VERSION,
            3: HEADER_BYTES,
            **dict.fromkeys(range(24, 32), 0),
        }
        with m.Switch(key):
            for number, constant in constants.items():
                with m.Case(number + 1):
                    must_equal(constant)
            with m.Case(1 + 5):
                must(((word[8:] - 1) >> _log2(limits.hidden)) == 0)
                keep(self._hidden, word[8:])
            with m.Case(1 + 7):
                must(word[8:] == self.plan.code)
            with m.Case(1 + 8):
                must(up_to(limits.vocab) & (less != 0))
                keep(self._vocab)
            with m.Case(1 + 9):
                must(up_to(limits.window))
                keep(self._window)
            with m.Case(1 + 10):
                must((word == NO_EOS) | (word < self._vocab))
                keep(self._eos)
            with m.Case(1 + 11):
                must((word >> _log2(MAX_ROPE_DEN)) == 0)
                keep(self._rope_num)
            with m.Case(1 + 12):
                must(up_to(MAX_ROPE_DEN) & (word > self._rope_num))
                keep(self._rope_den)
            with m.Case(1 + 13):
                must(up_to(limits.passes))
                keep(self._passes)
            with m.Case(1 + 14):
                must(up_to(ROWS))
                keep(self._dot_rows)
            with m.Case(1 + 15):
                must(up_to(ROWS))
                keep(self._sum_rows)
            with m.Case(1 + 16):
                must_equal(self._vocab)
            with m.Case(1 + 17):
                must_equal(self._rope_den)
            golden = 18 + 2 * GOLDEN_LANES.index(self.lanes)
            for half in range(2):
                with m.Case(1 + golden + half):
                    must(Const(1))
                    keep(self.golden.word_select(half, 16))
            with m.Case(0):
                self._row_rules(m, row_key, must_equal, must_fit, must)
            with m.Default():
                must(Const(1))

    def _row_rules(
        self,
        m: Module,
        key: Value,
        must_equal: Callable[[Value | int], None],
        must_fit: Callable[..., None],
        must: Callable[[Value], None],
    ) -> None:
        word = self._word
        config, table = Section.CONFIG, Section.TABLE

        def at(section: Section, row: int, number: int) -> int:
            return number | row << 2 | section << 4

        with m.Switch(key):
            with m.Case(at(config, 0, 0)):
                must_fit(self._vocab)
            with m.Case(at(config, 0, 1)):
                must_equal(self._vocab)
            with m.Case(at(config, 0, 2)):
                must(word[4:8] == 0)
            with m.Case(at(config, 1, 0)):
                must_equal(self._window)
            with m.Case(at(config, 1, 1)):
                must_equal(self._rope_num)
            with m.Case(at(config, 1, 2)):
                must_equal(self._rope_den)
            with m.Case(at(config, 2, 0)):
                must_equal(self._eos)
            with m.Case(at(config, 2, 1)):
                must_equal(self._passes)
            with m.Case(at(config, 2, 2)):
                must_equal(0)
            with m.Case(at(table, 0, 0)):
                must_fit(QKV_BLOCK)
            with m.Case(at(table, 0, 1)):
                must_fit(self._hidden, twice=True)
            with m.Case(at(table, 0, 2)):
                must_fit(self._hidden)
            with m.Case(at(table, 1, 0)):
                must_fit(self._window)
            with m.Case(at(table, 1, 1)):
                must(word[12:] == 0)
            with m.Case(at(table, 1, 2)):
                must(word[12:] == (self._hidden - 1)[:4])
            with m.Default():
                must(Const(1))


def _log2(limit: int) -> int:
    if limit & (limit - 1):
        raise ValueError(f"limits must be powers of 2, not {limit!r}")
    return limit.bit_length() - 1
