"""How to cite a study: the software that made it, and the papers that its data are from."""

from collections.abc import Iterable, Sequence

from ibbench.data.sources import find_references
from ibbench.report.document import Listing, Points, Remark, Shape

_SOFTWARE = """\
@software{{ibbench,
  title   = {{ibbench: how much is an architectural assumption worth?}},
  author  = {{{{The ibbench developers}}}},
  version = {{{version}}},
  note    = {{{note}}}
}}
"""


def cite(study: str, versions: Sequence[str], revisions: Sequence[str], sources: Iterable[str]) -> list[Shape]:
    """Say how a study is cited.

    Args:
        study: name of the study.
        versions: versions of ibbench that trained the study; none if they are unknown.
        revisions: commits that the study was trained from; none if they are unknown.
        sources: identities of the sources of the data, as records have them.
    """
    commit = f", commit {' and '.join(revisions)}" if revisions else ""
    entry = _SOFTWARE.format(version=" and ".join(versions) or "unknown", note=f"study {study}{commit}")
    papers = [paper for source in sources for paper in find_references(source)]
    shapes: list[Shape] = [Remark("The software, as BibTeX:"), Listing(entry)]
    if papers:
        shapes += [Remark("The data:"), Points(list(dict.fromkeys(papers)))]
    return shapes
