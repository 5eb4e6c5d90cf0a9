"""Random numbers that a test chooses, and random numbers that are counted."""

from recordkit.transforms import Draws


class Words(Draws):
    """Draws that return chosen words, written as fractions of 1; an error after the last one."""

    def __init__(self, *fractions):
        self.remaining = [int(fraction * 2**32) for fraction in fractions]

    def word(self):
        return self.remaining.pop(0)


class Counted(Draws):
    """Draws of a seed that count the words drawn, as `n`."""

    def __init__(self, seed=0, position=0):
        super().__init__(seed=seed, epoch=0, position=position, transform=0)
        self.n = 0

    def word(self):
        self.n += 1
        return super().word()
