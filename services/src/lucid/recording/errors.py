"""What can be wrong with a recording or the place where it is written."""

from __future__ import annotations

from typing import ClassVar

from lucid_kit.errors import DomainError, SystemFault


class MalformedRecording(DomainError):
    """The bytes are not a recording chunk of `lucid-recording/1`."""

    code = "LUCID_ERR_4600"
    advice = "Verify the bundle; if it is complete, its recorder was faulty: keep the file and report it."


class SealBroken(DomainError):
    """The ciphertext does not open as this chunk of this session with this key."""

    code = "LUCID_ERR_4601"
    advice = "Verify the bundle: the chunk was altered, moved, or the key is another session's."


class NoSuchFrame(DomainError):
    """The recording shows no frame at that moment."""

    code = "LUCID_ERR_4602"
    status = 404
    advice = "Ask for a moment between the first and the last frame."


class JournalDamaged(DomainError):
    """An acknowledged line of a session's journal is not what was written there."""

    code = "LUCID_ERR_4603"
    advice = "Do not repair it by hand: keep the spool directory and restore the journal from the blob store."


class RecordingFailed(SystemFault):
    """The session can no longer be recorded.

    `reason` is the word for it in a close record: at most 64 of [a-z0-9-].
    """

    code = "LUCID_ERR_5600"
    reason: ClassVar[str] = "recording-failed"
    advice = "The session ends as its trust policy says; what was journalled is kept."


class SpoolFull(RecordingFailed):
    """There is no room to write the next chunk durably."""

    code = "LUCID_ERR_5601"
    reason = "spool-full"
    advice = "Free space in the data directory, or raise the spool limit; then start a new session."


class SpoolInUse(RecordingFailed):
    """The session's spool already holds a journal; a recorder that died is never resumed."""

    code = "LUCID_ERR_5602"
    reason = "spool-in-use"
    advice = "Close the session as abandoned and record in a new one."


class SpoolUnwritable(RecordingFailed):
    """The session's spool cannot be written."""

    code = "LUCID_ERR_5603"
    reason = "spool-unwritable"
    advice = "Check that the data directory's file system is mounted read-write and healthy."
