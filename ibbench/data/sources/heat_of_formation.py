"""Heats of formation of organic molecules as ideal gases at 298.15 K, in kJ/mol."""

from ibbench.data.measured import Measured
from ibbench.data.sources import register
from ibbench.data.targets import one_target


@register("heat_of_formation")
class HeatOfFormation(Measured):
    """The heats of formation of Yaws 2014, some of which are estimates, as the package `chemicals` has them.

    C. L. Yaws: Thermophysical properties of chemicals and hydrocarbons, second edition. Gulf Professional Publishing.
    """

    fixed_targets = one_target(
        "heat_of_formation", "Δ_fH", "kJ/mol", "heat of formation of the gas at 298.15 K, measured or estimated"
    )
    table = "Reactions/Yaws Hf S0 (g).tsv"
    column = "Hfg"
    scale = 1e-3  # the table has J/mol
    bounds = (-2500, 600)
