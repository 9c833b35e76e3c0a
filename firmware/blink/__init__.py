# SPDX-License-Identifier: MIT
"""What belongs to blink and its row machine: image, schedule, description, software device.

`layout` places the rows of a model in the machine's two banks; `image_format` defines the bytes
around them, `image` writes and `image_reader` reads them; `golden` computes what the self-test
compares with. `latency` has the cycles of the machine's stages; `schedule` generates its control
words from them; `listing` prints a model and its cycles. `device_config` says what a row machine is
as a device, `row_facts` how its hello reports that; `numerics` puts a model into a software device,
`software` opens it; `c_model` runs the same integers in C. What a machine can hold is in
`quant.blink.limits`. Imports ``firmware.device``, ``firmware.wire``, ``quant.blink``, where the
numbers themselves are defined, ``quant.errors``, ``quant.files`` and ``quant.numbers``.
"""
