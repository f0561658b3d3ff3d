"""The pictures of a study, as an object that a notebook displays."""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ibbench.report.document import Picture
from ibbench.report.plot.style import in_style


class Pictures(Mapping[str, Any]):
    """Figures of matplotlib by their names, such as `cost`, `learning_curves` or `parity_gap`.

    `pictures["cost"].savefig("cost.pdf")` writes one picture; as the last line of a notebook's cell, the object shows
    all of them.

    Attributes:
        remarks: sentences about pictures that could not be drawn, and about what the others lack.
    """

    def __init__(self, pictures: Sequence[Picture], remarks: Sequence[str]) -> None:
        self._figures = {picture.name: picture.figure for picture in pictures}
        self.remarks = tuple(remarks)

    def __getitem__(self, name: str) -> Any:
        return self._figures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    def __repr__(self) -> str:
        return f"Pictures({', '.join(self._figures)})"

    def _repr_html_(self) -> str:
        """Return the remarks and all pictures as HTML; notebooks call this method."""
        remarks = [f"<p>{html.escape(remark)}</p>" for remark in self.remarks]
        images = [
            f'<p><img alt="{html.escape(name)}" src="data:image/png;base64,{_encode(figure)}"></p>'
            for name, figure in self._figures.items()
        ]
        return "\n".join([*remarks, *images])


def _encode(figure: Any) -> str:
    content = io.BytesIO()
    with in_style():
        figure.savefig(content, format="png")
    return base64.b64encode(content.getvalue()).decode()
