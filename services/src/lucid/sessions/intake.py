"""Takes in what a recorder has sealed: into the session's tree, into documents, and on to the uploader."""

from typing import Any

from lucid.sessions.evidence import Evidence
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Chunk, Session
from lucid.sessions.uploader import Uploader
from lucid_kit import fault
from lucid_proof.records import ChunkRecord


class Intake:
    """The chunks of one live session, in the order of its journal."""

    def __init__(self, session: Session, evidence: Evidence, ledger: Ledger, uploader: Uploader) -> None:
        self._session = session
        self._evidence = evidence
        self._ledger = ledger
        self._uploader = uploader
        self._raw = session.raw_bytes
        self._stored = session.stored_bytes

    async def take(self, message: dict[str, Any]) -> None:
        """Take a chunk that the recorder says is in the journal.

        Raises
        ------
        MalformedRecord, RecordsDamaged
            If that is not the journal's next chunk.
        """
        record = ChunkRecord.from_json(message["record"])
        self._evidence.add(record)
        raw = int(message.get("raw", 0))
        self._raw += raw
        self._stored += record.size
        chunk = Chunk(self._session.id, record.index, record.to_json(), raw)
        # Ends here: the journal has the chunk; start-up reads it there.
        fault.point("chunk-heard")
        totals = {"chunks": self._evidence.chunks, "raw_bytes": self._raw, "stored_bytes": self._stored}
        await self._ledger.acknowledge(chunk, totals)
        # Ends here: acknowledged and not stored; start-up uploads it.
        fault.point("chunk-acknowledged")
        self._uploader.add(chunk)
