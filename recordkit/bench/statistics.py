"""Ratios of rates with their intervals, and verdicts on two runs.

Cases are compared by the ratio of their rates in the same round, so that a machine that is slower in one round is
slower for both. Ratios are averaged as logarithms. The interval contains the ratio of another run like this one 19
times of 20: its half width is Student's t times the standard error, times the square root of 2, because the other run
is uncertain too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Student's t, two-sided 95%, for 1 to 30 degrees of freedom.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
# Above 30 degrees of freedom: t = limit + slope / degrees, within 0.1%.
_T95_LIMIT, _T95_SLOPE = 1.960, 2.5
SAME_WITHIN = 0.05
"""Largest difference, as a share, of two runs that count as the same; the whole interval has to lie within it."""
CHANGED_BY = 0.02
"""Smallest difference, as a share, that counts as faster or slower; runs of the same code can differ by less. The
whole interval has to lie beyond it."""


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as the reference a case is.

    Attributes
    ----------
    value : float
        Geometric mean over the rounds.
    low, high : float
        95% interval, see the module.
    """

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval as a share of the value."""
        return (self.high - self.low) / 2 / self.value

    @property
    def is_bounded(self) -> bool:
        """The interval is known; one round has none."""
        return not math.isinf(self.high)


def student_t(n: int) -> float:
    """Return Student's t for the 95% interval of the mean of `n` numbers; infinite for one number.

    Examples
    --------
    >>> student_t(5), round(student_t(61), 3)
    (2.776, 2.002)
    """
    if n < 2:
        return math.inf
    return _T95[n - 2] if n - 2 < len(_T95) else _T95_LIMIT + _T95_SLOPE / (n - 1)


def ratio(rates: Sequence[float], reference: Sequence[float]) -> Ratio:
    """Return the ratio of rates that were measured in the same rounds.

    Parameters
    ----------
    rates, reference : sequence of float
        One rate for each round; any unit.

    Examples
    --------
    >>> double = ratio([200.0, 210.0, 190.0], [100.0, 105.0, 96.0])
    >>> round(double.value, 3), round(double.half_width, 3)
    (1.993, 0.021)
    """
    logs = [math.log(rate / base) for rate, base in zip(rates, reference, strict=True)]
    mean = statistics.fmean(logs)
    if len(logs) == 1:
        return Ratio(math.exp(mean), 0.0, math.inf)
    half_width = student_t(len(logs)) * math.sqrt(2) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(mean), math.exp(mean - half_width), math.exp(mean + half_width))


@dataclass(frozen=True)
class Verdict:
    """Change of a case from one run to another.

    Attributes
    ----------
    word : {"faster", "slower", "same", "cannot tell"}
    change : float
        New ratio to the reference over the old one, minus 1.
    low, high : float
        95% interval of the change.
    """

    word: str
    change: float
    low: float
    high: float


def verdict(old: Sequence[float], new: Sequence[float]) -> Verdict:
    """Compare two runs by a case's ratios to the reference; the interval of the difference is Welch's.

    Parameters
    ----------
    old, new : sequence of float
        Logarithm of the ratio in each round.

    Examples
    --------
    >>> verdict([0.01, 0.0, -0.01, 0.0], [0.0, 0.01, 0.0, -0.01]).word
    'same'
    >>> verdict([0.01, 0.0, -0.01, 0.0], [-0.1, -0.11, -0.1, -0.09]).word
    'slower'
    """
    change = statistics.fmean(new) - statistics.fmean(old)
    if min(len(old), len(new)) < 2:
        return Verdict("cannot tell", math.expm1(change), -1.0, math.inf)
    variances = [statistics.variance(logs) / len(logs) for logs in (old, new)]
    error = math.sqrt(sum(variances))
    degrees = (
        sum(variances) ** 2
        / sum(variance**2 / (len(logs) - 1) for variance, logs in zip(variances, (old, new), strict=True))
        if error
        else math.inf
    )
    half_width = student_t(int(min(degrees, 1e6)) + 1) * error
    low, high = math.expm1(change - half_width), math.expm1(change + half_width)
    if low > -SAME_WITHIN and high < SAME_WITHIN:
        word = "same"
    elif low > CHANGED_BY or high < -CHANGED_BY:
        word = "faster" if low > CHANGED_BY else "slower"
    else:
        word = "cannot tell"
    return Verdict(word, math.expm1(change), low, high)
