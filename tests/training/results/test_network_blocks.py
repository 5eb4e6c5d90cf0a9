"""Boxes and blocks of a network, for its diagram."""

from recordkit.training.results.network_blocks import Box, fold, join_layers


def chain(*operations):
    """Boxes of one operation each, one after the other; an upper-case one has weights."""
    return [
        Box("weights" if name[0].isupper() else "other", (number - 1,) if number else (), ((f"n{number}", name, ""),))
        for number, name in enumerate(operations)
    ]


def operations(blocks):
    return [(block.times, ["-".join(row[1] for row in box.rows) for box in block.boxes]) for block in blocks]


def test_a_layer_has_what_follows_it():
    boxes = join_layers(chain("Conv", "relu", "pool", "Dense"))
    assert [[row[1] for row in box.rows] for box in boxes] == [["Conv", "relu", "pool"], ["Dense"]]


def test_layers_that_repeat_together_are_one_block():
    blocks = fold(chain("Stem", "relu", *(["Deep", "relu", "Wide", "relu"] * 3), "Dense"))
    assert operations(blocks) == [(1, ["Stem-relu"]), (3, ["Deep-relu", "Wide-relu"]), (1, ["Dense"])]
    assert blocks[1].boxes[0].rows == (("n{2,6,10}", "Deep", ""), ("n{3,7,11}", "relu", ""))
    assert [box.sources for block in blocks for box in block.boxes] == [(), (0,), (1,), (2,)]


def test_a_residual_block_stays_together_and_its_branch_is_one_box():
    boxes = chain("Stem", "relu")
    for _ in range(2):
        begin = len(boxes)
        boxes += [
            Box(box.kind, tuple(source + begin for source in box.sources) or (begin - 1,), box.rows)
            for box in chain("Conv", "norm", "Conv", "add", "relu")
        ]
        boxes[begin + 3] = Box("other", (begin + 2, begin - 1), boxes[begin + 3].rows)
    blocks = fold(boxes)
    assert operations(blocks) == [(1, ["Stem-relu"]), (2, ["Conv-norm-Conv", "add-relu"])]
    assert [box.sources for box in blocks[1].boxes] == [(0,), (0, 1)]


def test_networks_without_repetition_are_as_they_are():
    assert operations(fold(chain("A", "B", "c"))) == [(1, ["A"]), (1, ["B-c"])]
