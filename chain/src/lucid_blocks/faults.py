"""What can stop a chain's process: errors of the system, each with what the operator must do."""

from lucid_kit.errors import SystemFault


class ChainFault(SystemFault):
    """The chain cannot go on."""

    code = "LUCID_ERR_5200"


class NotInitialised(ChainFault):
    """There is no chain in this directory."""

    code = "LUCID_ERR_5201"
    advice = "Make one with `lucid-blocks init --data DIR --name NAME`, or name the right directory."


class AlreadyInitialised(ChainFault):
    """There is a chain in this directory already."""

    code = "LUCID_ERR_5202"
    advice = "Start it with `lucid-blocks run`, or choose an empty directory: a chain is never overwritten."


class AnchorMissing(ChainFault):
    """The record of the newest signed checkpoint is gone."""

    code = "LUCID_ERR_5203"
    advice = (
        "Without it nobody can tell whether this database is the newest; signing could fork the log. Bring"
        " back `anchor/checkpoint` as it was when the process last ran (from no backup), or begin a new one."
    )


class ForkDanger(ChainFault):
    """The database and the newest signed checkpoint do not belong together; going on would fork the log."""

    code = "LUCID_ERR_5204"
    advice = (
        "Was the database or the anchor restored from a backup? Bring back the newest database: it must hold"
        " the checkpoint in `anchor/checkpoint`. If it is lost, this log has ended: keep it for reading and"
        " begin a new chain."
    )


class KeyUnusable(ChainFault):
    """A key file cannot be used."""

    code = "LUCID_ERR_5205"
    advice = "The file must belong to this user alone (mode 0600) and hold the key that the genesis names."


class DataDamaged(ChainFault):
    """What is stored does not hold together."""

    code = "LUCID_ERR_5206"
    advice = "Run `lucid-blocks verify`: it names the first height that differs. Then restore that file."


class NotDurable(ChainFault):
    """The disk refused a write, so the chain has stopped rather than sign what it might forget."""

    code = "LUCID_ERR_5207"
    status = 503
    advice = "Make room or mend the disk, then start the process again; nothing that was answered is lost."
