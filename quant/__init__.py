# SPDX-License-Identifier: MIT
"""From trained weights to the integers of the chip, and what every folder above needs.

Read `blink` for a model (it says in which order), then `numbers` for fixed-point formats and
sampling, which any family of models shares. `evaluation` scores models on texts, `chat_template`
says how turns become ids, `files` reads and writes safely, and `errors` has what a user can meet.

Imports nothing of ours; NumPy, safetensors, and datasets where `evaluation` downloads a set.
Inside, `blink`, `evaluation` and `chat_template` do not import each other; what they share is in
`numbers`, `files` and `errors`. A second family of models gets a folder beside `blink`.
"""
