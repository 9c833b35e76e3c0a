# SPDX-License-Identifier: MIT
"""Scores of any byte model on texts and public sets, with standard errors.

Read ``scorer`` (what a model must offer), ``losses`` (sums of ``-ln P`` of many sequences) and
``rows`` (a result). The measures: ``perplexity`` of texts, ``pairs`` of sentences (BLiMP),
``choices`` of answers (ARC-Easy), ``agreement`` of integers with floats. ``sets`` reads the files
and picks the measures, ``fetch`` downloads the public ones, as ``wikitext`` writes them.

Imports ``quant.numbers``, ``quant.files`` and ``quant.errors``, and no model.
"""
