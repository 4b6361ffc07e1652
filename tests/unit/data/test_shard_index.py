"""The index of shards."""

from pathlib import Path

from speechvq.data.unit_formats.shard_index import ShardIndex


def test_every_shard_of_an_utterance_is_found() -> None:
    first, second, empty = Path("a"), Path("b"), Path("c")
    index = ShardIndex([(first, ["x", "y", ""]), (empty, []), (second, ["y", "z"])])
    assert index.shards("x") == {first} and index.shards("z") == {second}
    assert index.shards("y") == {first, second} and index.shards("") == {first}
    assert index.shards("w") == set() == ShardIndex([]).shards("x")
