"""What can go wrong with sessions, in the words of the field. Codes 3300 to 3349, 4300 to 4349 and
5300 to 5349."""

from lucid_kit.errors import DomainError, LimitExceeded, NotFound, SystemFault, Unavailable


class SessionMissing(NotFound):
    """There is no session of that id."""

    code = "LUCID_ERR_1430"
    advice = "GET /sessions lists the sessions there are."


class ChunkMissing(NotFound):
    """The session has no chunk of that index."""

    code = "LUCID_ERR_1431"
    advice = "GET /sessions/{id}/chunks lists the chunks that are acknowledged."


class ReceiptMissing(NotFound):
    """The session has not begun, so nothing was promised."""

    code = "LUCID_ERR_1433"
    advice = "Start the session: POST /sessions/{id}/start."


class WrongState(DomainError):
    """The session is not in a state where that can happen."""

    code = "LUCID_ERR_4300"
    advice = "GET /sessions/{id} says what state it is in; facts.possible names what can happen next."


class NotAnchoredYet(DomainError):
    """The session's begin record is not in the log yet, so there is nothing to prove."""

    code = "LUCID_ERR_4301"
    advice = "Try again after the next block: facts.retry_after_s says when."


class ContentDestroyed(DomainError):
    """The session's key was destroyed; nobody can see its content any more. Its proof stands."""

    code = "LUCID_ERR_4302"
    status = 410
    advice = "GET /sessions/{id}/proof still exports the evidence."


class KeyReused(DomainError):
    """That Idempotency-Key was used for another request."""

    code = "LUCID_ERR_4303"
    advice = "Use a new Idempotency-Key for every new request."


class RequestUnderWay(DomainError):
    """A request with that Idempotency-Key is being answered right now."""

    code = "LUCID_ERR_4304"
    advice = "Wait for the first request's answer, or send this one again in a second."


class SessionLive(DomainError):
    """The session is still running; it cannot be deleted."""

    code = "LUCID_ERR_4305"
    advice = "Stop it first: POST /sessions/{id}/stop, or `lucid session stop ID`."


class ChainNeverSeen(Unavailable):
    """The chain has not answered since this instance was set up, so a record could name no block."""

    code = "LUCID_ERR_5300"
    advice = "Start the chain process, or correct LUCID_SESSIONS_CHAIN_URL; later outages are bridged."


class ChainMismatch(SystemFault):
    """The chain is not the one that the trust policy names."""

    code = "LUCID_ERR_5301"
    advice = "Point LUCID_SESSIONS_CHAIN_URL and LUCID_SESSIONS_TRUST at the same chain."


class DesktopNotStarted(Unavailable):
    """The desktop or its recorder could not be started."""

    code = "LUCID_ERR_5302"
    advice = "`lucid doctor` says what is missing on this machine; the session is closed as abandoned."


class KeyUnusable(SystemFault):
    """A key file cannot be used."""

    code = "LUCID_ERR_5303"
    advice = "Restore the file from a backup, with mode 0600."


class ChunkLost(SystemFault):
    """A chunk that was acknowledged is not where it must be."""

    code = "LUCID_ERR_5304"
    advice = (
        "GET /sessions/{id}/pipeline names it. Restore it from a backup of the object store or the spool."
    )


class ChunkDamaged(SystemFault):
    """A chunk's bytes are not those that were recorded."""

    code = "LUCID_ERR_5305"
    advice = "Restore it from a backup of the object store; its record says what its SHA-256 must be."


class RecordsDamaged(SystemFault):
    """The records of a session cannot be read."""

    code = "LUCID_ERR_5306"
    advice = "Restore records.jsonl of the session's spool from a backup; the log holds the same bytes."


class KeyTracesLeft(SystemFault):
    """A session's key was removed, and traces of its wrapped form may be left in the database's files."""

    code = "LUCID_ERR_5307"
    advice = "Delete the session again; restarting the service cleans up, too."


class TooManyVideos(LimitExceeded):
    """As many videos are being made as this machine makes at once."""

    code = "LUCID_ERR_3300"
    advice = "Try again when one of them is done."


class VideoUnavailable(Unavailable):
    """A recording cannot be made a video here."""

    code = "LUCID_ERR_5308"
    advice = "`pip install lucid[video]` on this machine brings the encoder; frames and bundles need none."
