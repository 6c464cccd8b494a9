"""Where texts go when several share a row: plain arithmetic on lengths."""

from __future__ import annotations

from typing import NamedTuple

#: Tokens in one pass of the encoder. Matrix products are at their best from about 2,000 rows on, and a
#: pass that does not grow with the batch keeps what is computed in between small.
TOKENS_A_PASS = 4096
#: Tokens of a row at least. Attention is computed, and dropped out, for each pair of places of a row:
#: wider rows leave fewer of them empty, narrower ones have fewer pairs.
LEAST_WIDTH = 64


class Pack(NamedTuple):
    """Texts of one pass.

    Attributes
    ----------
    texts
        Their numbers.
    starts
        The place of each one's first token, counted through all rows of the pass.
    rows, width
        How many rows there are, and of how many places.
    """

    texts: list[int]
    starts: list[int]
    rows: int
    width: int


def pack_rows(
    lengths: list[int], *, least_width: int = LEAST_WIDTH, tokens: int = TOKENS_A_PASS
) -> list[Pack]:
    """Put texts into rows, the longest first, each into the first row with room for it.

    A pass is as wide as the longest text that is left. Shorter texts fill the gaps beside long ones, but
    one of less than half the width opens no row: attention among short texts is not computed in rows as
    wide as the longest of the batch.

    Parameters
    ----------
    lengths
        Tokens of each text, at least one.
    least_width
        Rows of short texts are this wide.
    tokens
        Places in a pass; one row is always made, however wide.
    """
    left = sorted(range(len(lengths)), key=lambda text: -lengths[text])
    packs = []
    while left:
        width = max(least_width, lengths[left[0]])
        most_rows = max(1, tokens // width)
        least_opening = width // 2 if width > least_width else 0
        room: list[int] = []
        pack, later = Pack([], [], 0, width), []
        for text in left:
            length = lengths[text]
            row = next((row for row, free in enumerate(room) if free >= length), len(room))
            if row == most_rows or (row == len(room) and length < least_opening):
                later.append(text)
                continue
            if row == len(room):
                room.append(width)
            pack.texts.append(text)
            pack.starts.append(row * width + width - room[row])
            room[row] -= length
        packs.append(pack._replace(rows=len(room)))
        left = later
    return packs


def pack_one_row(lengths: list[int], *, tokens: int = TOKENS_A_PASS) -> list[Pack]:
    """Lay texts end to end in one row a pass, those of equal length beside each other.

    Parameters
    ----------
    lengths
        Tokens of each text, at least one.
    tokens
        Tokens in a pass; one text is always taken, however long.
    """
    packs: list[Pack] = []
    for text in sorted(range(len(lengths)), key=lambda text: lengths[text]):
        if not packs or packs[-1].width + lengths[text] > tokens:
            packs.append(Pack([], [], 1, 0))
        pack = packs[-1]
        pack.texts.append(text)
        pack.starts.append(pack.width)
        packs[-1] = pack._replace(width=pack.width + lengths[text])
    return packs
