"""What can go wrong, in the words of the reader: a stable code, what happened, and what to do about it.

Codes are `LUCID_ERR_` and four digits. The first says whose turn it is: 1 the request is wrong, 2 who you are
or what you may do, 3 you are over a limit, 4 a rule of the field forbids it, 5 our side failed. This package
owns the numbers ending in 000 to 019 and 400 to 499 of each thousand; the rooms above take the others.

Over HTTP an error is an RFC 9457 problem document (`problem`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, TypeAlias

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]


class LucidError(Exception):
    """Something Lucid could not do.

    Parameters
    ----------
    detail
        What happened this time and where, as one or two sentences.
    facts
        What a program may want to know, by name. Anything that is not JSON is shown as text.
        Never put a secret here: facts reach the caller and the log.
    """

    code: ClassVar[str] = "LUCID_ERR_5000"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something Lucid could not do."
    advice: ClassVar[str] = "Try again; if it happens again, report the request id to the operator."

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "title" not in cls.__dict__ and cls.__doc__:
            cls.title = _first_sentence(cls.__doc__)

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts: dict[str, JSON] = {name: _as_json(value) for name, value in facts.items()}

    def __str__(self) -> str:
        return f"{self.detail} ({self.code})"


class ValidationFailed(LucidError):
    """The request does not have the form it must have."""

    code = "LUCID_ERR_1000"
    status = 422
    advice = "Correct what `facts` lists and send the request again."


class MalformedRequest(ValidationFailed):
    """The request cannot be read."""

    code = "LUCID_ERR_1400"
    status = 400
    advice = "Send well-formed HTTP and, where a body is expected, well-formed JSON in UTF-8."


class NotFound(LucidError):
    """There is nothing under that name."""

    code = "LUCID_ERR_1404"
    status = 404
    advice = "Check the address and the id; list the collection to see what exists."


class MethodNotAllowed(ValidationFailed):
    """This address does not understand that method."""

    code = "LUCID_ERR_1405"
    status = 405
    advice = "Use one of the methods that the Allow header lists."


class BodyTooLarge(ValidationFailed):
    """The request's body is larger than this address takes."""

    code = "LUCID_ERR_1413"
    status = 413
    advice = "Send less at once."


class UnsupportedMediaType(ValidationFailed):
    """This address does not read bodies of that content type."""

    code = "LUCID_ERR_1415"
    status = 415
    advice = "Send the body as the OpenAPI document says, usually application/json."


class Unauthenticated(LucidError):
    """The request does not say, in a way that can be trusted, who sends it."""

    code = "LUCID_ERR_2401"
    status = 401
    advice = "Send `Authorization: Bearer …` with a token that has not expired."


class Forbidden(LucidError):
    """The sender is known and may not do this."""

    code = "LUCID_ERR_2403"
    status = 403
    advice = "Ask an administrator for the missing scope, then get a new token."


class LimitExceeded(LucidError):
    """That is more than this sender may use for now."""

    code = "LUCID_ERR_3000"
    status = 429
    advice = "Wait for as long as Retry-After says, then send the request again."


class DomainError(LucidError):
    """A rule forbids this in the present state of things."""

    code = "LUCID_ERR_4000"
    status = 409
    advice = "Read the state again and decide anew."


class SystemFault(LucidError):
    """Lucid failed; the request was not at fault."""

    code = "LUCID_ERR_5000"
    status = 500
    advice = "Try again; if it happens again, report the request id to the operator."


class Unavailable(SystemFault):
    """Something this service needs does not answer."""

    code = "LUCID_ERR_5003"
    status = 503
    advice = "Try again in a few seconds; GET /ready says what is missing."


class StoreFull(SystemFault):
    """A store has no room left."""

    code = "LUCID_ERR_5010"
    status = 507
    advice = (
        "Free space in the store that is named, or give it more, then try again; nothing was half written."
    )


class StoreReadOnly(SystemFault):
    """A store takes no writes."""

    code = "LUCID_ERR_5011"
    status = 503
    advice = "Make the store that is named writable for this service, then try again."


class StoreUnavailable(Unavailable):
    """A store cannot be reached or does not answer."""

    code = "LUCID_ERR_5012"
    advice = "Try again in a few seconds; if it lasts, see whether the store that is named runs."


def problem(error: LucidError, instance: str | None) -> dict[str, JSON]:
    """The RFC 9457 body of an error: type, title, status, detail, and Lucid's code, advice and facts.

    `instance` is the path of the request (or its id), left out when None.
    """
    body: dict[str, JSON] = {
        "type": f"urn:lucid:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "advice": error.advice,
        "facts": error.facts,
    }
    if instance is not None:
        body["instance"] = instance
    return body


def catalogue() -> list[type[LucidError]]:
    """Every kind of error with a code of its own that has been imported, by code.

    Raises
    ------
    ValueError
        If two kinds share a code: then a reader could not tell them apart.
    """
    by_code: dict[str, type[LucidError]] = {}
    for kind in _kinds(LucidError):
        if "code" not in kind.__dict__:
            continue
        other = by_code.setdefault(kind.code, kind)
        if other is not kind:
            raise ValueError(f"{kind.code} is both {_name(other)} and {_name(kind)}")
    return [by_code[code] for code in sorted(by_code)]


def _kinds(kind: type[LucidError]) -> Iterator[type[LucidError]]:
    seen: set[type[LucidError]] = set()
    waiting = kind.__subclasses__()
    while waiting:
        child = waiting.pop()
        if child not in seen:
            seen.add(child)
            waiting.extend(child.__subclasses__())
            yield child


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _as_json(value: object) -> JSON:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(str(item) for item in value)
    return str(value)
