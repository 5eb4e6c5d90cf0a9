"""Random numbers that a test chooses, and a count of those drawn."""

from recordkit.transforms import Draws


class Words(Draws):
    """Draws whose words are given; fractions of 1 are easier to read. Beyond the last one, an error."""

    def __init__(self, *fractions):
        self.left = [int(fraction * 2**32) for fraction in fractions]

    def word(self):
        return self.left.pop(0)


class Counted(Draws):
    """Draws of a seed that count how many words were taken."""

    def __init__(self, seed=0, position=0):
        super().__init__(seed=seed, epoch=0, position=position, transform=0)
        self.n = 0

    def word(self):
        self.n += 1
        return super().word()
