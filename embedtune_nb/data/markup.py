"""From a docstring to plain prose: a summary and a description without any mark-up.

Only the standard library is used, because worker processes import this.
"""

from __future__ import annotations

import inspect
import itertools
import re

_UNDERLINE = re.compile(r"^\s*([-=~^*+#])\1{2,}\s*$")
_HEADING = re.compile(
    r"^\s*(\*\*)?(args|arguments|params?|parameters?|keyword arg(ument)?s?|kwargs|inputs?|outputs?|"
    r"returns?|return type|raises?|yields?|examples?|usage|shapes?|attributes?|methods|variables|"
    r"see also|references?|notes?|warnings?|"
    r"todo|supported types)(\*\*)?\s*(\([^)]*\))?\s*:{1,2}(\*\*)?\s*$",
    re.IGNORECASE,
)
_FIELD = re.compile(r"^\s*(:(param|parameter|arg|type|return|returns|rtype|raises)\b|@(param|return)|\.\. _)")
_SIGNATURE = re.compile(r"^\s*[\w.]+\(.*\)?\s*(->.*)?$")
_DIRECTIVE = re.compile(r"^(\s*)\.\.(\s|$)")
_DOCTEST = re.compile(r"^\s*(>>|\$ )")
_FENCE = re.compile(r"^\s*(```|~~~)")
_CODE_SIGNS = frozenset('=()[]{}<>|_#"\\/+*^&;')
_CODE_SHARE = 0.12

_INLINE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r":math:`([\w .,+=<>()-]{1,24})`"), r"\1"),
    (re.compile(r":math:`[^`]*`|\$[^$\n]+\$"), "\0"),
    (re.compile(r":[\w:+.-]+:`([^`<]*?)\s*<[^`>]*>`"), r"\1"),
    (re.compile(r":[\w:+.-]+:`~?!?(?:[\w.]*\.)?([^`]*)`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}"), r"\1"),
    (re.compile(r"``([^`]*)``"), r"\1"),
    (re.compile(r"`([^`]*)`_{0,2}"), r"\1"),
    (re.compile(r"\*\*([^*\n]+)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])"), r"\1"),
    (re.compile(r"\[[\w.#]+\]_"), ""),
    (re.compile(r"\|([\w ]+)\|"), r"\1"),
    (re.compile(r"https?://\S+"), ""),
    (re.compile(r"\\([ s])"), r"\1"),
    (re.compile(r"(\w)_(?=[\s.,;:)]|$)"), r"\1"),
)
_TEMPLATE = re.compile(r"%\(\w+\)|\{\w*\}|%s\b|<<|\\\w+\{")
_SENTENCE_END = re.compile(r"(?<!\b[A-Z])(?<!e\.g)(?<!i\.e)(?<!etc)(?<!vs)[.!?](?=\s+[A-Z\"(])")
_SPACE_BEFORE_SIGN = re.compile(r"\s+([,.;:)])")


def summary_and_description(docstring: str) -> tuple[str, str]:
    """Return the first sentence and the rest up to the first section heading, both as plain prose.

    Either may be empty. Text that is a template to be filled in gives two empty strings.
    """
    paragraphs = [prose for prose in map(_plain, _paragraphs(inspect.cleandoc(docstring))) if prose]
    if not paragraphs or any(_TEMPLATE.search(paragraph) for paragraph in paragraphs):
        return "", ""
    first = paragraphs[0]
    end = _SENTENCE_END.search(first)
    summary = first[: end.end()] if end else first
    rest = first[end.end() :].strip() if end else ""
    return summary, " ".join([rest, *paragraphs[1:]]).strip()


def _paragraphs(text: str) -> list[str]:
    lines = text.splitlines()
    if len(lines) > 1 and _SIGNATURE.match(lines[0]) and not lines[0].rstrip().endswith("."):
        lines = lines[1:]
    found: list[list[str]] = [[]]
    skip_deeper_than: int | None = None
    in_doctest = in_fence = False
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if _FENCE.match(line) or in_fence:
            in_fence ^= bool(_FENCE.match(line))
            continue
        if _HEADING.match(line) or _FIELD.match(line) or (line.strip() and _UNDERLINE.match(following)):
            break
        if not line.strip():
            found.append([])
            in_doctest = False
            continue
        indent = len(line) - len(line.lstrip())
        if skip_deeper_than is not None:
            if indent > skip_deeper_than:
                continue
            skip_deeper_than = None
        if _DIRECTIVE.match(line):
            skip_deeper_than = indent
            continue
        in_doctest = in_doctest or bool(_DOCTEST.match(line))
        if in_doctest:
            continue
        if line.rstrip().endswith("::"):
            # What follows, deeper, is code shown as it stands.
            skip_deeper_than = indent
            line = line.rstrip()[:-1]
        found[-1].append(line.strip())
    return [" ".join(part) for part in found if part]


def _plain(paragraph: str) -> str:
    for pattern, replacement in _INLINE:
        paragraph = pattern.sub(replacement, paragraph)
    if "\0" in paragraph:
        # A sentence with its formula cut out says nothing any more.
        ends = [0, *(match.end() for match in _SENTENCE_END.finditer(paragraph)), len(paragraph)]
        sentences = [paragraph[start:end] for start, end in itertools.pairwise(ends)]
        paragraph = " ".join(sentence for sentence in sentences if "\0" not in sentence)
    prose = _SPACE_BEFORE_SIGN.sub(r"\1", " ".join(paragraph.split()))
    return "" if sum(letter in _CODE_SIGNS for letter in prose) > _CODE_SHARE * len(prose) else prose
