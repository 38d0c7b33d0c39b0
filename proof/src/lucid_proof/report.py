"""What a verification found: a verdict, the findings that led to it, and the windows of time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, overload

from lucid_proof.canonical import JSON


class Verdict(Enum):
    """The answer to "is this recording complete and unaltered?"; `exit_code` is lucid-verify's."""

    COMPLETE = ("complete", 0)
    ALTERED = ("altered", 1)
    INCOMPLETE = ("incomplete", 2)
    NOT_ANCHORED = ("not anchored", 3)
    UNUSABLE = ("unusable", 64)

    def __init__(self, word: str, exit_code: int) -> None:
        self.word = word
        self.exit_code = exit_code


# The worst decides (docs/specs/bundle.md § Verdict).
_WORST_FIRST: Final = (Verdict.UNUSABLE, Verdict.ALTERED, Verdict.NOT_ANCHORED, Verdict.INCOMPLETE)
MAX_FINDINGS: Final = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps a recording from being *complete*.

    Attributes
    ----------
    code : str
        Stable word for programs, such as `chunk-bytes` or `in-progress`; the list is in docs/specs/bundle.md.
    where : str
        Which chunk, record, block or member.
    message : str
        What is wrong with it, for people.
    verdict : Verdict
        What it makes of the bundle, unless another finding is worse.
    """

    code: str
    where: str
    message: str
    verdict: Verdict

    def to_json(self) -> JSON:
        return {
            "code": self.code,
            "message": self.message,
            "verdict": self.verdict.word,
            "where": self.where,
        }


@dataclass(frozen=True, slots=True)
class Window:
    """When consecutive chunks were made: after one block was known, and before another anchored them.

    Times are the blocks', in milliseconds since 1970; chunks count from 0, both ends included.
    """

    first_chunk: int
    last_chunk: int
    not_before_ms: int
    not_before_height: int
    not_after_ms: int
    not_after_height: int

    def to_json(self) -> JSON:
        return {
            "first_chunk": self.first_chunk,
            "last_chunk": self.last_chunk,
            "not_after_height": self.not_after_height,
            "not_after_ms": self.not_after_ms,
            "not_before_height": self.not_before_height,
            "not_before_ms": self.not_before_ms,
        }


class Windows(Sequence[Window]):
    """Windows in order of chunks, 48 bytes each: a recording of months has as many as chunks."""

    def __init__(self) -> None:
        self._numbers = array("Q")

    def add(self, chunk: int, not_before: tuple[int, int], not_after: tuple[int, int]) -> None:
        """Add the next chunk's window, given as (time in ms, height) of its two blocks."""
        bounds = array("Q", (*not_before, *not_after))
        if self._numbers and self._numbers[-4:] == bounds:
            self._numbers[-5] = chunk
        else:
            self._numbers.extend((chunk, chunk))
            self._numbers.extend(bounds)

    def __len__(self) -> int:
        return len(self._numbers) // 6

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | Sequence[Window]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index] * 6
        return Window(*self._numbers[at : at + 6])

    def __iter__(self) -> Iterator[Window]:
        return (self[at] for at in range(len(self)))


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `lucid_proof.verify`.

    Attributes
    ----------
    session, origin : str
        Which session, of which log; empty where the bundle does not get as far as saying so.
    chunks, bytes : int
        Chunks present in the bundle, and the length of their ciphertexts together.
    records : int
        Session records, from begin on.
    findings : tuple of Finding
        Empty exactly if the verdict is COMPLETE; the worst first; about 50 at most, the last then saying
        how many more.
    windows : Sequence of Window
        In order of chunks.
    signers : tuple of str
        Names of the policy's keys whose signatures on the checkpoint verified, the log's first.
    begun_ms, closed_ms : int or None
        Times that the begin and close records claim, ms since 1970.
    """

    verdict: Verdict
    session: str = ""
    origin: str = ""
    chunks: int = 0
    bytes: int = 0
    records: int = 0
    findings: tuple[Finding, ...] = ()
    windows: Sequence[Window] = field(default_factory=Windows)
    signers: tuple[str, ...] = ()
    begun_ms: int | None = None
    closed_ms: int | None = None

    def to_json(self, *, windows: bool = True) -> dict[str, JSON]:
        """As a JSON object; `windows=False` leaves out the longest part."""
        document: dict[str, JSON] = {
            "begun_ms": self.begun_ms,
            "bytes": self.bytes,
            "chunks": self.chunks,
            "closed_ms": self.closed_ms,
            "exit_code": self.verdict.exit_code,
            "findings": [each.to_json() for each in self.findings],
            "origin": self.origin,
            "records": self.records,
            "session": self.session,
            "signers": list(self.signers),
            "verdict": self.verdict.word,
        }
        if windows:
            document["windows"] = [each.to_json() for each in self.windows]
        return document


class Findings:
    """Collects findings; remembers every sort of verdict, but not more than 50 findings."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._count = 0
        self._verdicts: set[Verdict] = set()

    def add(self, verdict: Verdict, code: str, where: str, message: str) -> None:
        self._count += 1
        new = verdict not in self._verdicts
        self._verdicts.add(verdict)
        # The first of each verdict is kept in any case: it is what explains the exit code.
        if len(self._kept) < MAX_FINDINGS or new:
            self._kept.append(Finding(code, where, message, verdict))

    def altered(self, code: str, where: str, message: str) -> None:
        self.add(Verdict.ALTERED, code, where, message)

    def incomplete(self, code: str, where: str, message: str) -> None:
        self.add(Verdict.INCOMPLETE, code, where, message)

    def not_anchored(self, code: str, where: str, message: str) -> None:
        self.add(Verdict.NOT_ANCHORED, code, where, message)

    def has(self, verdict: Verdict) -> bool:
        return verdict in self._verdicts

    def verdict(self) -> Verdict:
        """The worst one found."""
        return next((each for each in _WORST_FIRST if each in self._verdicts), Verdict.COMPLETE)

    def all(self) -> tuple[Finding, ...]:
        """The worst first; the last one says how many more there are, if there are."""
        kept = sorted(self._kept, key=lambda each: _WORST_FIRST.index(each.verdict))
        if self._count > len(kept):
            more = f"{self._count - len(kept)} more findings of this kind are not listed"
            kept.append(Finding("more", "", more, kept[-1].verdict))
        return tuple(kept)
