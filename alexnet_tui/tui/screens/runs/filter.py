"""The filter line: ``variant=tanh lr>=0.01 best>60 is:running tag:paper text``. Pure; no Textual.

Words are joined by *and*; ``-`` before a word negates it; ``"two words"`` stay together. Accuracies are in
percent, times take ``s``, ``m``, ``h`` or ``d``. Every hyperparameter can be asked for by name. Blanks may be
around an operator.

Of a group, figures such as ``best`` are those of its row, which are means. Every other word asks its runs: with ``!=``
or a minus none may match; else the group stays for one run that all such words fit, and only those that they fit are
acted on.
"""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from alexnet_tui.config.hyperparameters import SPECS, TYPES, format_value
from alexnet_tui.config.variants import nearest
from alexnet_tui.errors import UsageError
from alexnet_tui.runs.state import State
from alexnet_tui.text import printable, quoted
from alexnet_tui.tui.screens.runs.rows import RunRow

ALIASES = {
    **{spec.short: name for name, spec in SPECS.items() if spec.short.isalpha()},
    "batch": "batch_size",
    "front": "front_end",
    "fe": "front_end",
    "v": "variant",
    "s": "seed",
    "acc": "best",
    "time": "seconds",
    "done": "progress",
}
HELP = (
    ("tanh", "runs with tanh in their name, id, variant, tag or note"),
    ("variant=tanh", "a hyperparameter is just that; != is not that"),
    ("lr>=0.01", "a hyperparameter is at least that; also < <= >"),
    ("best>60", "accuracy in percent: best, last, final, gap, progress"),
    ("t25<30", "epochs until the training error fell to 25%; also epoch"),
    ("time>1h", "seconds, or with s m h d"),
    ("is:running", "queued running finished stopped failed crashed copy, or live"),
    ("is:marked", "pinned own reference extended foreign grouped"),
    ("tag:paper", "a tag; note:text, label:text, id:text and study:text look into those"),
    ("device:cuda", "what it trained on, such as cpu or h100; host:text is where"),
    ("-is:failed", "a minus negates a word"),
    ("seed=3", "a group stays for one run that fits, and keys act on those alone; best, gap... are its means"),
)

Predicate = Callable[[RunRow], bool]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_OPERATOR = r"!=|>=|<=|=|<|>|:"
_TERM = re.compile(rf"(?P<key>[A-Za-z_][\w-]*)(?P<operator>{_OPERATOR})(?P<value>.*)", re.DOTALL)
_NAME, _OPEN = re.compile(r"-?[A-Za-z_][\w-]*"), re.compile(rf"-?[A-Za-z_][\w-]*({_OPERATOR})")
_OPERATOR_FIRST = re.compile(_OPERATOR)
_NO_JOINER = "words must all match; there is no '{}'"
_JOINERS = {
    "and": f"{_NO_JOINER}, and none is needed.",
    "or": f"{_NO_JOINER}.",
    "not": f"{_NO_JOINER}: a minus negates a word, as in -is:failed.",
}
_CLOSE = 0.7
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBERS: dict[str, Callable[[RunRow], float | None]] = {
    "best": lambda row: _percent(row.best),
    "last": lambda row: _percent(row.last),
    "final": lambda row: _percent(row.final),
    "gap": lambda row: _percent(row.gap),
    "progress": lambda row: _percent(row.progress),
    "t25": lambda row: row.t25,
    "epoch": lambda row: float(row.epochs_done),
    "seconds": lambda row: row.seconds,
}
_TEXTS: dict[str, Callable[[RunRow], Iterable[str]]] = {
    "tag": lambda row: row.tags,
    "note": lambda row: (row.note,),
    "label": lambda row: (row.name,) if row.is_labelled else (),
    "id": lambda row: row.members,
    "study": lambda row: row.studies,
    "host": lambda row: row.hosts,
    "device": lambda row: row.devices,
}
_FLAGS: dict[str, Callable[[RunRow, "Query"], bool]] = {
    **{state.value: (lambda row, _, state=state: row.state is state) for state in State},  # type: ignore[misc]
    "crashed": lambda row, _: row.state is State.LOST,
    "live": lambda row, _: row.state in {State.RUNNING, State.QUEUED},
    "reference": lambda row, _: row.is_reference,
    "own": lambda row, _: not row.is_reference,
    "extended": lambda row, _: bool(row.extends),
    "foreign": lambda row, _: bool(row.foreign),
    "grouped": lambda row, _: row.is_group,
    "marked": lambda row, query: not query.marked.isdisjoint(row.members),
    "pinned": lambda row, query: query.pinned in row.members,
}


class QueryError(UsageError):
    """A word of the filter is invalid; the message names valid ones."""


class Word(msgspec.Struct, frozen=True):
    """One word of a filter.

    Attributes:
        predicate: Whether a row is what it asks for; a minus before it is in this.
        is_of_row: It is about figures, which a group has of its own.
        needs_all: It says what no run of a group may be.
    """

    predicate: Predicate
    is_of_row: bool = False
    needs_all: bool = False

    def hits(self, row: RunRow) -> Sequence[RunRow]:
        """Of a run itself, or of the runs of a group, those that fit; what only a group is, all its runs are."""
        runs = row.runs or (row,)
        fits = self.predicate(row)
        if self.is_of_row:
            return runs if fits else ()
        fitting = [one for one in runs if self.predicate(one)]
        if self.needs_all:
            return runs if fits and len(fitting) == len(runs) else ()
        return fitting or (runs if fits else ())


class Query(msgspec.Struct):
    """A parsed filter.

    Attributes:
        words: All must hold.
        marked: Ids of marked runs, for ``is:marked``; set before use.
        pinned: Id of the pinned run, for ``is:pinned``.
    """

    words: list[Word]
    marked: frozenset[str] = frozenset()
    pinned: str | None = None

    def hits(self, row: RunRow) -> tuple[str, ...]:
        """The runs of a row that all words fit, in their order."""
        hits = row.members
        for word in self.words:
            fitting = {one.id for one in word.hits(row)}
            hits = tuple(run_id for run_id in hits if run_id in fitting)
        return hits

    def select(self, rows: Iterable[RunRow]) -> list[RunRow]:
        """The rows that stay, in their order; those of groups know which of their runs the words fit."""
        found = ((row, self.hits(row)) for row in rows)
        return [row if hits == row.members else msgspec.structs.replace(row, hits=hits) for row, hits in found if hits]


def parse(text: str) -> Query:
    """Read a filter; empty text keeps every run.

    Raises:
        QueryError: A word means nothing.
    """
    query = Query([])
    for word in _words(text):
        is_negated = word.startswith("-") and len(word) > 1 and not word[1].isdigit()
        found = _term(word[1:] if is_negated else word, query)
        query.words.append(_negated(found) if is_negated else found)
    return query


EXAMPLE = "variant=tanh  best>60  is:running  tag:paper"
"""What the empty filter line shows."""


def completed(text: str) -> str | None:
    """A filter with its last word finished: a field with ``=``, ``>`` or ``:``, or a value; None where nothing fits."""
    begun = text.rpartition(" ")[2]
    word = begun.removeprefix("-").casefold()
    if not word:
        return None
    name, sign, value = (*word.partition(":"),) if ":" in word else (*word.partition("="),)
    if not sign:
        endings = {"is": ":", **dict.fromkeys(_TEXTS, ":"), **dict.fromkeys(_NUMBERS, ">")}
        names = [*endings, *(name for name in SPECS if name not in endings)]
        found = next((f"{one}{endings.get(one, '=')}" for one in names if one.startswith(word)), None)
    else:
        key = ALIASES.get(name, name)
        values = tuple(_FLAGS) if key == "is" else SPECS[key].choices if key in SPECS else ()
        found = next((f"{name}{sign}{one}" for one in values if value and one.startswith(value)), None)
    return None if found is None or found == word else text + found[len(word) :]


def without_last_word(text: str) -> str:
    """A filter without the word that is being typed."""
    return " ".join(_words(text)[:-1])


def _words(text: str) -> list[str]:
    """The words of a filter; ``best > 60`` is one."""
    words: list[str] = []
    for word in _WORD.findall(text):
        is_open = bool(words) and _OPEN.fullmatch(words[-1])
        if is_open or (words and _NAME.fullmatch(words[-1]) and _OPERATOR_FIRST.match(word)):
            words[-1] += word
        else:
            words.append(word)
    return words


def _negated(word: Word) -> Word:
    return Word(lambda row: not word.predicate(row), word.is_of_row, not word.needs_all)


def _term(word: str, query: Query) -> Word:
    match = _TERM.fullmatch(word)
    if joiner := _JOINERS.get(word.casefold()):
        raise QueryError(joiner.format(printable(word, 30)))
    if _OPERATOR_FIRST.match(word):
        raise QueryError(f"{quoted(word, 30)} needs a name before it, as in best>60.")
    if match is None:
        return Word(_anywhere(word.replace('"', "").casefold()))
    name = match["key"].casefold().replace("-", "_")
    key, sign, value = ALIASES.get(name, name), match["operator"], match["value"].replace('"', "")
    if not value:
        raise QueryError(f"{match['key']}{sign} needs a value behind it.")
    if key == "is":
        return Word(_flag(value, query))
    if key in _TEXTS:
        return Word(_contains(_TEXTS[key], value.casefold(), sign), needs_all=sign == "!=")
    if key in _NUMBERS:
        return Word(_number(_NUMBERS[key], sign, _parse_number(match["key"], value)), is_of_row=True)
    if key in SPECS:
        return Word(_field(key, sign, value), needs_all=sign == "!=")
    raise QueryError(f"there is no {quoted(match['key'], 30)} to filter by; {_instead(key, value.casefold())}")


def _instead(key: str, value: str) -> str:
    """What to write in place of a name that there is none of: a close one, or all there are."""
    if key in {"state", "status"}:
        return f"is:{value if value in _FLAGS else State.RUNNING} asks for the state."
    own = ["is", *_TEXTS, *_NUMBERS]
    if close := difflib.get_close_matches(key, [*own, *SPECS, *ALIASES], n=1, cutoff=_CLOSE):
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(own)}, and every hyperparameter, such as variant, seed, learning_rate."


def _anywhere(text: str) -> Predicate:
    def matches(row: RunRow) -> bool:
        settings = (str(row.setting(name) or "") for name in ("variant", "front_end", "data"))
        places = (row.name, *settings, row.foreign, row.note, *row.members, *row.tags)
        return any(text in place.casefold() for place in places)

    return matches


def _flag(value: str, query: Query) -> Predicate:
    flag = _FLAGS.get(value.casefold())
    if flag is None:
        raise QueryError(f"a run is never {quoted(value, 30)}; {nearest(value.casefold(), _FLAGS)}")
    return lambda row: flag(row, query)


def _contains(texts: Callable[[RunRow], Iterable[str]], value: str, sign: str) -> Predicate:
    if sign == ":":
        return lambda row: any(value in text.casefold() for text in texts(row))
    if sign == "=":
        return lambda row: any(value == text.casefold() for text in texts(row))
    if sign == "!=":
        return lambda row: all(value != text.casefold() for text in texts(row))
    raise QueryError("words have no order; use : or =.")


def _number(number: Callable[[RunRow], float | None], sign: str, limit: float) -> Predicate:
    compare = _COMPARE["=" if sign == ":" else sign]

    def matches(row: RunRow) -> bool:
        value = number(row)
        return value is not None and compare(value, limit)

    return matches


def _field(name: str, sign: str, value: str) -> Predicate:
    if TYPES[name] in {int, float}:
        limit = _parse_number(name, value)
        return _number(lambda row: None if row.foreign else float(getattr(row.config, name)), sign, limit)
    wanted = value.casefold()

    def texts(row: RunRow) -> Iterable[str]:
        return () if row.foreign else (format_value(getattr(row.config, name)),)

    return _contains(texts, wanted, sign)


def _parse_number(name: str, text: str) -> float:
    number, unit = re.fullmatch(r"(.*?)(%|[smhd]?)", text.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise QueryError(f"{printable(name, 30)} needs a number, not {quoted(text, 30)}.")
    return value * _UNITS.get(unit, 1.0)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
