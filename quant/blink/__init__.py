# SPDX-License-Identifier: MIT
"""The blink family: a looped transformer of width 3, as floats and as the integers of the chip.

Read ``spec`` (sizes), ``plan`` (formats), ``blocks`` (the arithmetic, block by block, with
``tables``) and ``reference`` (a model run bit for bit as the device runs it). Then the way there:
``checkpoint`` (files of floats), ``float_model`` (the same network in float64), ``fold`` (norms
and scales into the matrices), ``calibrate`` (ranges), ``quantize`` (to ``model``, the integers,
with ``quantize_report``). ``limits`` says what a device can hold, ``scorers`` gives models to
`quant.evaluation`, ``random_model`` makes some for tests and proofs.

Imports ``quant.numbers``, ``quant.files`` and ``quant.errors``.
"""
