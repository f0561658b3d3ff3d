"""Octanol-water partition coefficients of organic molecules, as their decimal logarithm."""

from ibbench.data.measured import Measured
from ibbench.data.sources import register
from ibbench.data.targets import one_target


@register("logp")
class LogP(Measured):
    """The values that Syracuse Research Corporation has collected (KOWWIN data, 2006), as `chemicals` has them."""

    fixed_targets = one_target("logp", "log P", "log10", "partition coefficient between octanol and water, measured")
    table = "Environment/Syrres logP data.csv.gz"
    column = "logP"
    bounds = (-6, 12)
