# SPDX-License-Identifier: MIT
import random

import pytest

from support.activity.groups import find_groups
from support.activity.statements import Statement


def statements_of(*accesses):
    """Statements from pairs of names read and written, and their drivers."""
    statements = [
        Statement(
            str(i), reads=dict.fromkeys(reads.split(), 1), writes=dict.fromkeys(writes.split(), 1)
        )
        for i, (reads, writes) in enumerate(accesses)
    ]
    drivers = [
        {i for i, other in enumerate(statements) if other.writes.keys() & statement.reads.keys()}
        for statement in statements
    ]
    return statements, drivers


def test_what_shares_names_is_one_group():
    statements, drivers = statements_of(("a b", "c"), ("x y", "z"), ("a b", "d"), ("x y", "w"))
    groups = find_groups(statements, drivers)
    assert sorted([s.text for s in group] for group in groups) == [["0", "2"], ["1", "3"]]


def test_what_is_ignored_makes_nothing_alike():
    statements, drivers = statements_of(("reset", "c"), ("reset", "z"))
    assert len(find_groups(statements, drivers)) == 1
    assert len(find_groups(statements, drivers, ignored=["reset"])) == 2


@pytest.mark.quick
@pytest.mark.parametrize("seed", range(20))
def test_a_group_comes_after_what_drives_it(seed):
    """Random statements: each is in one group, after all that it reads."""
    rng = random.Random(seed)
    accesses = []
    for i in range(120):
        values = rng.sample(range(i), min(i, rng.randrange(3)))
        registers = [f"r{rng.randrange(12)}" for _ in range(rng.randrange(1, 4))]
        accesses.append((" ".join([*(f"v{j}" for j in values), *registers]), f"v{i}"))
    statements, drivers = statements_of(*accesses)
    groups = find_groups(statements, drivers)
    assert 1 < len(groups) < len(statements)
    order = [statement for group in groups for statement in group]
    assert sorted(int(s.text) for s in order) == list(range(120))
    place = {int(statement.text): at for at, statement in enumerate(order)}
    assert all(place[j] < place[i] for i in range(120) for j in drivers[i])
