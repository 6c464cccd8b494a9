"""What our widgets share: bundles by name, a readable repr, a static fallback and an error area."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from embedtune_nb.errors import did_you_mean

STATIC = Path(__file__).resolve().parent.parent / "static"


class Widget(anywidget.AnyWidget):
    """Base of every widget of this package.

    A subclass names its bundle, ``class Monitor(Widget, stem="monitor")``, and gets
    ``static/monitor.js`` and ``static/monitor.css`` (hot-reloaded where ``ANYWIDGET_HMR=1``).

    Parameters
    ----------
    **traits
        Initial values of traits. An unknown name is a ``TypeError``.
    """

    stem: ClassVar[str] = ""

    error = traitlets.Unicode("").tag(sync=True)
    """Shown in the widget's error area while not empty."""

    def __init_subclass__(cls, *, stem: str = "", **kwargs: Any) -> None:
        if stem:
            cls.stem = stem
            cls._esm = STATIC / f"{stem}.js"
            cls._css = STATIC / f"{stem}.css"
        super().__init_subclass__(**kwargs)

    def __init__(self, **traits: Any) -> None:
        for name in traits:
            if not self.has_trait(name):
                hint = did_you_mean(name, self.trait_names())
                raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {name!r}. {hint}")
        super().__init__(**traits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def fallback_html(self) -> str:
        """HTML for places that show no widgets: a saved notebook, a page on GitHub. Empty means none."""
        return ""

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        if fallback := self.fallback_html():
            data["text/html"] = fallback
        return data, metadata
