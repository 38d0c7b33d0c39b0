"""Why a transaction or a block is not accepted: one exception for each rule of docs/specs/chain.md."""

from lucid_kit.errors import DomainError


class Refused(DomainError):
    """A rule of the chain forbids it."""

    code = "LUCID_ERR_4200"
    advice = "Read docs/specs/records.md, mend the record, and sign it anew."

    @property
    def rule(self) -> str:
        """The rule's name, as docs/specs/chain.md lists it."""
        return type(self).__name__


class TransactionRefused(Refused):
    """A rule of the chain forbids this transaction."""

    code = "LUCID_ERR_4201"


class ForeignTransaction(TransactionRefused):
    """The transaction was signed for another chain."""

    code = "LUCID_ERR_4202"
    advice = "Sign for the chain that GET /chain/info names."


class BadSignature(TransactionRefused):
    """The signature is not the key's over this transaction."""

    code = "LUCID_ERR_4203"
    advice = "Sign the canonical bytes without the member sig, as docs/specs/encoding.md says."


class RecorderNotAdmitted(TransactionRefused):
    """The key is not an admitted recorder's."""

    code = "LUCID_ERR_4204"
    advice = "Have a validator admit the recorder: `lucid-blocks admit`."


class SessionUsed(TransactionRefused):
    """A session has one beginning; this id had it already."""

    code = "LUCID_ERR_4205"
    advice = "Begin a session with a new id."


class SessionUnknown(TransactionRefused):
    """No such session is open."""

    code = "LUCID_ERR_4206"
    advice = "Submit the session's begin record first; a closed session takes no more records."


class NotTheSessionsKey(TransactionRefused):
    """Only the key that began a session may go on with it."""

    code = "LUCID_ERR_4207"
    advice = "Sign with the recorder key that signed the begin record."


class WrongSequence(TransactionRefused):
    """The record is not the session's next."""

    code = "LUCID_ERR_4208"
    advice = "Submit the session's records in the order of seq, without gaps."


class TimeWentBack(TransactionRefused):
    """The record is dated before the session's previous one."""

    code = "LUCID_ERR_4209"
    advice = "Date a session's records by one clock that never runs backwards."


class SeenUnknown(TransactionRefused):
    """The block that the record claims to have seen is not a block of this chain."""

    code = "LUCID_ERR_4210"
    advice = "Name a block that GET /blocks/latest gave."


class SeenWentBack(TransactionRefused):
    """The record has seen an older block than the session's previous one."""

    code = "LUCID_ERR_4211"
    advice = "Name the newest block that the recorder knows."


class ChunksWentBack(TransactionRefused):
    """The session has fewer chunks than its previous record says."""

    code = "LUCID_ERR_4212"
    advice = "Count every chunk that was ever sealed."


class RootChanged(TransactionRefused):
    """The count of chunks is unchanged, and their root is not."""

    code = "LUCID_ERR_4213"
    advice = "Sealed chunks never change; compute the root over the session's chunk records again."


class NotRecording(TransactionRefused):
    """A paused session cannot be paused."""

    code = "LUCID_ERR_4214"
    advice = "Resume the session first."


class NotPaused(TransactionRefused):
    """A session that is recording cannot be resumed."""

    code = "LUCID_ERR_4215"
    advice = "Nothing is to be done: the session is recording."


class ChunksWhilePaused(TransactionRefused):
    """Chunks were added while the session was paused."""

    code = "LUCID_ERR_4216"
    advice = "Record the resumption before the chunks that follow it."


class NotAValidator(TransactionRefused):
    """Only a validator may admit and revoke recorders."""

    code = "LUCID_ERR_4217"
    advice = "Sign with a validator's key."


class WrongNonce(TransactionRefused):
    """The nonce is not the key's next."""

    code = "LUCID_ERR_4218"
    advice = "Use the nonce that GET /chain/info gives for the key."


class RecorderKnown(TransactionRefused):
    """The recorder is admitted already."""

    code = "LUCID_ERR_4219"
    advice = "Nothing is to be done; to rename a recorder, revoke it first."


class RecorderUnknown(TransactionRefused):
    """Only an admitted recorder can be revoked."""

    code = "LUCID_ERR_4220"
    advice = "Look at the recorders that GET /chain/info lists."


class BlockRefused(Refused):
    """A rule of the chain forbids this block."""

    code = "LUCID_ERR_4230"
    advice = "Compare the block with the chain: `lucid-blocks verify` names the first height that differs."


class ForeignBlock(BlockRefused):
    """The block belongs to another chain."""

    code = "LUCID_ERR_4231"


class WrongHeight(BlockRefused):
    """The block's height is not the next."""

    code = "LUCID_ERR_4232"


class WrongParent(BlockRefused):
    """The block does not follow the newest one."""

    code = "LUCID_ERR_4233"


class TimeNotLater(BlockRefused):
    """The block is not later than the one before."""

    code = "LUCID_ERR_4234"


class WrongCount(BlockRefused):
    """The header counts other transactions than the block holds."""

    code = "LUCID_ERR_4235"


class BlockTooLarge(BlockRefused):
    """The block holds more than the chain's parameters allow."""

    code = "LUCID_ERR_4236"


class WrongLog(BlockRefused):
    """The header commits to another log than the transactions make."""

    code = "LUCID_ERR_4237"


class WrongState(BlockRefused):
    """The header commits to another state than the transactions make."""

    code = "LUCID_ERR_4238"
