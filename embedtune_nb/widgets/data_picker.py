"""Pick a table of this notebook (or a file) as data and say which column is what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import MEANING, OPTIONAL_ROLES, READY_KINDS
from embedtune_nb.widgets.data_choice import READY_MADE, DataChoice, RoleReading, find_data, read_roles
from embedtune_nb.widgets.errands import Errands
from embedtune_nb.widgets.studio_parts import CodeLine, complaint, first_sentence, small
from embedtune_nb.widgets.studio_view import Form, column, labelled, show_html, styled

_NOTHING = DataChoice("frame", "")
_FILE = DataChoice("file", "")
_AUTO = "auto"
_OPEN, _SEVERAL = -1, -2


class DataPicker(ipywidgets.VBox):
    """Choose data in a notebook: a DataFrame, a Datasource, a file or ready-made data, and its roles.

    Parameters
    ----------
    namespace
        Where to look for DataFrames and Datasources; the notebook's variables by default.

    Attributes
    ----------
    datasource : Datasource or None
        What was picked, as soon as it can be used.
    code : str
        The Python that makes it.
    choice : DataChoice or None
        What was picked, as a plain value.
    problem : Exception or None
        Why there is no Datasource.

    Examples
    --------
    >>> picker = DataPicker()  # doctest: +SKIP
    >>> picker  # pick in the notebook, then  # doctest: +SKIP
    >>> picker.datasource  # doctest: +SKIP
    """

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.RLock()
        self._code_line = CodeLine()
        self._form = PickerForm(self._show, errands=Errands(), lock=self._lock, namespace=namespace)
        super().__init__((self._form.box, self._code_line))
        self.add_class("etn-root")
        self._show()

    @property
    def datasource(self) -> Datasource | None:
        """What was picked, once it is read."""
        return self._form.datasource

    @property
    def choice(self) -> DataChoice | None:
        """What was picked, as a plain value."""
        return self._form.choice

    @property
    def problem(self) -> Exception | None:
        """Why there is no Datasource."""
        return self._form.problem

    @property
    def code(self) -> str:
        """The Python that makes ``data``."""
        return f"import embedtune_nb as et\n\n{_code_of(self.choice)}\ndata"

    def refresh(self) -> None:
        """Look again for the notebook's variables, and read the chosen one again."""
        self._form.look_again()

    def wait(self, timeout: float | None = None) -> DataPicker:
        """Wait until the choice is read."""
        self._form.errands.settle(timeout)
        return self

    def close(self) -> None:
        """Remove it from the page."""
        self._form.errands.close()
        super().close()

    def _show(self) -> None:
        self._code_line.code = self.code

    def __repr__(self) -> str:
        if self.choice is None:
            return "DataPicker(nothing picked yet)"
        if self.datasource is None:
            why = first_sentence(self.problem) if self.problem else "being read"
            return f"DataPicker({self.choice.title}: {why})"
        return f"DataPicker({self.choice.title}: {self.datasource.kind}, {len(self.datasource):,} rows)"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/html"] = (
                self.datasource._repr_html_() if self.datasource else f"<p>{escape(repr(self))}</p>"
            )
        return bundle


class PickerForm(Form):
    """The controls of a :class:`DataPicker`.

    Parameters
    ----------
    changed
        Called, with *lock* held, when the choice or the Datasource is another.
    errands
        Reads the data.
    lock
        Held while anything changes.
    namespace
        As for :class:`DataPicker`.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        *,
        errands: Errands,
        lock: Any,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(lock)
        self.errands, self._changed, self._namespace = errands, changed, namespace
        self.choice: DataChoice | None = None
        self.datasource: Datasource | None = None
        self.problem: Exception | None = None
        self.reading = False
        self._table: pd.DataFrame | None = None
        self._roles: dict[str, _RoleField] = {}
        self._build()
        self.look_again()

    def _build(self) -> None:
        self._source = ipywidgets.Dropdown(description="Data", options=[("choose", _NOTHING)])
        self._again = ipywidgets.Button(
            description="Refresh",
            tooltip="Look again for variables of this notebook, and read the data again",
        )
        self._path = ipywidgets.Text(
            description="Path of the file",
            placeholder=".csv, .tsv, .jsonl or .parquet",
            continuous_update=False,
        )
        self._kind = ipywidgets.Dropdown(description="Kind")
        self._path_field, self._kind_field = labelled(self._path), labelled(self._kind)
        self._role_fields = styled(ipywidgets.Box(), "etn-fields")
        self._why = ipywidgets.HTML()
        self._kind_field.children = (self._kind, self._why)
        self._seen = ipywidgets.HTML()
        hint = ipywidgets.HTML(small("No variable here? Run the cell that makes it, then refresh."))
        where = styled(
            ipywidgets.Box((labelled(self._source), self._path_field, self._kind_field)),
            "etn-fields",
            "etn-wide",
        )
        again = styled(ipywidgets.Box((self._again, hint)), "etn-row")
        self.box = column(where, again, self._role_fields, self._seen)
        self.hear(self._source, "value", self._pick)
        self.hear(self._path, "value", lambda path: self._take(DataChoice("file", path.strip())))
        self.hear(self._kind, "value", self._name_kind)
        self.click(self._again, self.look_again)

    def look_again(self) -> None:
        """Find the notebook's variables anew, and read the chosen data again."""
        with self._lock:
            found = find_data(self._variables())
            options = [("choose ...", _NOTHING)]
            options += [(f"{choice.name} ({size})", choice) for choice, size in found]
            options += [
                (f"ready-made: {text}", DataChoice("ready", kind)) for kind, text in READY_MADE.items()
            ]
            options.append(("a file ...", _FILE))
            with self.filling():
                self._source.options = options
                self._source.value = self._source_of(self.choice, [value for _, value in options])
            if self.choice is not None:
                self._take(self.choice)
            else:
                self._show()

    def _variables(self) -> Mapping[str, Any]:
        if self._namespace is not None:
            return self._namespace
        from IPython import get_ipython

        shell = get_ipython()
        return {} if shell is None else shell.user_ns

    @staticmethod
    def _source_of(choice: DataChoice | None, known: list[DataChoice]) -> DataChoice:
        if choice is None:
            return _NOTHING
        plain = _FILE if choice.origin == "file" else DataChoice(choice.origin, choice.name)
        return plain if plain in known else _NOTHING

    def _pick(self, choice: DataChoice) -> None:
        self._take(None if choice == _NOTHING else choice)

    def _name_kind(self, kind: str) -> None:
        self._take(self.choice.with_kind(None if kind == _AUTO else kind))

    def _take(self, choice: DataChoice | None) -> None:
        same = self.choice is not None and choice is not None and self.choice.name == choice.name
        self.choice, self.datasource, self.problem = choice, None, None
        self._table = self._table if same else None
        self.reading = choice is not None and not (choice.origin == "file" and not choice.name)
        if self.reading:
            variables = self._variables()
            self.errands.ask("data", lambda: _read(choice, variables), self._arrived, self._refused)
        self._show()
        self._changed()

    def _arrived(self, result: tuple[pd.DataFrame | None, Datasource | None, Exception | None]) -> None:
        with self._lock:
            self.reading = False
            self._table, self.datasource, self.problem = result
            self._show()
            self._changed()

    def _refused(self, problem: Exception) -> None:
        self._arrived((None, None, problem))

    # Showing -------------------------------------------------------------------------------------------

    def _show(self) -> None:
        choice = self.choice
        columns = self._table is not None and choice is not None
        with self.filling():
            self._path_field.layout.display = "" if choice is not None and choice.origin == "file" else "none"
            self._kind_field.layout.display = "" if columns else "none"
            reading = read_roles(self._table, choice) if columns else None
            self._show_kind(reading)
            self._show_roles(reading)
        if self.reading:
            show_html(self._seen, small("Reading ..."))
        elif self.problem is not None:
            show_html(self._seen, complaint(self.problem))
        else:
            show_html(self._seen, self.datasource._repr_html_() if self.datasource is not None else "")

    def _show_kind(self, reading: RoleReading | None) -> None:
        if reading is None or self.choice is None:
            return
        inferred = reading.kind if self.choice.kind is None and reading.kind else None
        auto = f"auto: {inferred}" if inferred else "auto"
        self._kind.options = [(auto, _AUTO), *((f"{kind}: {MEANING[kind]}", kind) for kind in READY_KINDS)]
        self._kind.value = self.choice.kind or _AUTO
        show_html(self._why, small(reading.reason))

    def _show_roles(self, reading: RoleReading | None) -> None:
        roles = reading.roles if reading is not None else ()
        if tuple(self._roles) != roles:
            self._roles = {role: _RoleField(role, self) for role in roles}
            self._role_fields.children = tuple(field.box for field in self._roles.values())
        for field in self._roles.values():
            field.show(list(self._table.columns), reading)

    def name_role(self, role: str, column: Hashable | None) -> None:
        """Take the column a person named; but for the group, the inferred kind is then settled too."""
        kind = self.choice.kind
        if kind is None and role != "group":
            kind = read_roles(self._table, self.choice).kind
        self._take(replace(self.choice, kind=kind).with_role(role, column))


class _RoleField:
    """The column of one role, and why."""

    def __init__(self, role: str, form: PickerForm) -> None:
        self._role, self._columns = role, []
        self._control, self._why = ipywidgets.Dropdown(description=role), ipywidgets.HTML()
        self.box = styled(ipywidgets.VBox((labelled(self._control), self._why)), "etn-field")
        form.hear(
            self._control,
            "value",
            lambda place: form.name_role(role, self._columns[place] if place >= 0 else None),
        )

    def show(self, columns: list[Hashable], reading: RoleReading) -> None:
        """Offer *columns* and mark the one that is chosen."""
        self._columns = columns
        chosen = reading.choices.get(self._role)
        optional = self._role in OPTIONAL_ROLES[reading.kind]
        options = [(str(column) or "(no name)", place) for place, column in enumerate(columns)]
        several = chosen is not None and len(chosen.columns) > 1
        if several:
            options.insert(0, (", ".join(map(str, chosen.columns)), _SEVERAL))
        # a column that is found by its name cannot be un-found, so "none" is offered only otherwise
        may_be_open = optional or self._role == "negatives"
        if chosen is None or (may_be_open and not several and chosen.reason == "you named it"):
            options.insert(0, ("none" if optional else "choose ...", _OPEN))
        self._control.options = options
        self._control.value = (
            _OPEN if chosen is None else _SEVERAL if several else columns.index(chosen.columns[0])
        )
        self._why.value = small(chosen.reason if chosen else _why_open(self._role, optional))


def _why_open(role: str, optional: bool) -> str:
    if role == "group":
        return "rows with the same value stay together"
    return "" if optional else "not clear from names and content: choose"


def _read(
    choice: DataChoice, variables: Mapping[str, Any]
) -> tuple[pd.DataFrame | None, Datasource | None, Exception | None]:
    table = choice.table(variables) if choice.has_columns else None
    try:
        return table, choice.read(variables) if table is None else choice.build(table), None
    except Exception as problem:  # shown beside the roles, which are what mends it
        return table, None, problem


def _code_of(choice: DataChoice | None) -> str:
    if choice is None:
        return "# Pick data, and its code stands here."
    try:
        return choice.code()
    except ValueError as problem:
        return f"# {' '.join(str(problem).split())}"
