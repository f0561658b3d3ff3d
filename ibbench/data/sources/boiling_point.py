"""Boiling points of organic molecules at one atmosphere, in kelvin."""

from ibbench.data.measured import Measured
from ibbench.data.sources import register
from ibbench.data.targets import one_target


@register("boiling_point")
class BoilingPoint(Measured):
    """The boiling points of Yaws 2014, some of which are estimates, as the package `chemicals` has them.

    C. L. Yaws: Thermophysical properties of chemicals and hydrocarbons, second edition. Gulf Professional Publishing.
    """

    fixed_targets = one_target("boiling_point", "T_b", "K", "boiling point at 1 atm, measured or estimated")
    table = "Phase Change/Yaws Boiling Points.tsv"
    column = "Tb"
    bounds = (50, 1000)
