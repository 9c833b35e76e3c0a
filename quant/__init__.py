# SPDX-License-Identifier: MIT
"""From trained weights to the integers of the chip, and what every folder above needs.

Read `blink` for a model (it says in which order), then `numbers` for fixed-point formats and
sampling, which any family of models shares. `evaluation` scores models on texts, `chat_template`
says how turns become ids, `files` reads and writes safely, and `errors` has what a user can meet.

It imports no other folder, and NumPy and safetensors alone. Inside, `blink`, `evaluation` and
`chat_template` do not import each other; they import `numbers` and `files`, and all import
`errors`. A second family of models gets a folder beside `blink`.
"""
