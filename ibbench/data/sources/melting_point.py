"""Melting points of organic molecules, measured, in kelvin."""

from ibbench.data.measured import Measured
from ibbench.data.sources import register
from ibbench.data.targets import one_target

_BRADLEY = (
    "J.-C. Bradley, A. Williams, A. Lang: Jean-Claude Bradley open melting point dataset. Figshare (2014). "
    "https://doi.org/10.6084/m9.figshare.1031637"
)


@register("melting_point")
class MeltingPoint(Measured):
    """The open notebook's melting points, as the package `chemicals` has them."""

    fixed_targets = one_target("melting_point", "T_m", "K", "melting point, measured")
    references = (_BRADLEY,)
    table = "Phase Change/OpenNotebook Melting Points.tsv"
    column = "Tm"
    bounds = (50, 800)
