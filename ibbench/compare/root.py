"""A root of a function of one variable. `scipy.optimize` has it too, and takes half a second to import."""

from collections.abc import Callable


def find_root(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Find where a continuous function is zero, between two points at which its signs differ, by Brent's method.

    It steps by secants and inverse quadratic interpolation where they make headway, and halves the interval where
    they do not (Brent 1973, Algorithms for Minimization without Derivatives, chapter 4), in the form and order of
    operations of `scipy.optimize.brentq`: the result is the same to the last digit.

    Args:
        function: of which the root is wanted.
        low: one end of the interval.
        high: the other.
        tolerance: how far off the result may be: absolutely, plus relatively.

    Raises:
        ValueError: the signs are the same, or the function is not a number somewhere.
    """
    last, here = low, high
    at_last, at_here = function(last), function(here)
    if at_last == 0:
        return last
    if at_here == 0:
        return here
    if (at_last < 0) == (at_here < 0):
        raise ValueError("the function has the same sign at both ends")
    other = at_other = step_before = step = 0.0  # `other` is on the other side of the root
    for _ in range(100):  # each halves the interval, or nearly
        if at_last != 0 and at_here != 0 and (at_last < 0) != (at_here < 0):
            other, at_other = last, at_last
            step_before = step = here - last
        if abs(at_other) < abs(at_here):
            last, here, other = here, other, here
            at_last, at_here, at_other = at_here, at_other, at_here
        smallest = (tolerance + tolerance * abs(here)) / 2
        half = (other - here) / 2
        if at_here == 0 or abs(half) < smallest:
            return here
        tried = None
        if abs(step_before) > smallest and abs(at_here) < abs(at_last):
            if last == other:
                tried = -at_here * (here - last) / (at_here - at_last)
            else:
                slope_last = (at_last - at_here) / (last - here)
                slope_other = (at_other - at_here) / (other - here)
                tried = -at_here * (at_other * slope_other - at_last * slope_last)
                tried /= slope_other * slope_last * (at_other - at_last)
        if tried is not None and 2 * abs(tried) < min(abs(step_before), 3 * abs(half) - smallest):
            step_before, step = step, tried
        else:
            step_before = step = half
        last, at_last = here, at_here
        here += step if abs(step) > smallest else smallest if half > 0 else -smallest
        at_here = function(here)
    raise ValueError("no root was found")
