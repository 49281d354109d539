"""The dataset: anything with a length and (events, label) items will do."""

import numpy as np

EVENT = np.dtype([("t", np.int64), ("x", np.int64), ("p", np.int64)])


class Tones:
    def __init__(self, split, count):
        self.split, self.count = split, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        random = np.random.default_rng([index, self.split == "test"])
        events = np.zeros(60, EVENT)
        events["t"] = np.sort(random.integers(0, 100_000, 60))
        label = index % 2
        events["x"] = random.integers(0, 10, 60) + 10 * label
        return events, label


def source(root, split, train, test):
    return Tones(split, train if split == "train" else test)
