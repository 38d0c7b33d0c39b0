"""Why a wallet does not do what it was asked."""

from lucid_kit.errors import DomainError, Forbidden, LimitExceeded, NotFound, SystemFault, ValidationFailed


class InvalidName(ValidationFailed):
    """This is no name for a wallet."""

    code = "LUCID_ERR_1751"
    advice = "Give 1 to 64 characters."


class WalletNotFound(NotFound):
    """There is no wallet with that id."""

    code = "LUCID_ERR_1750"
    advice = "List the wallets to see their ids."


class WrongPassphrase(Forbidden):
    """The keystore does not open with this passphrase."""

    code = "LUCID_ERR_2750"
    advice = "Try again with the right one; without it only the backup phrase restores the keys."


class NotItsSigner(Forbidden):
    """This wallet signs for others than who asks."""

    code = "LUCID_ERR_2751"
    advice = "Ask as one of the wallet's `signers`; an administrator of wallets names them."


class KeystoreExposed(SystemFault):
    """Others on this machine could read or change the keystore."""

    code = "LUCID_ERR_5750"
    advice = "Run `chmod 600` on the file and give it to the user of the service; consider its keys seen."


class KeystoreDamaged(SystemFault):
    """The keystore, or a secret in it, is not what was written."""

    code = "LUCID_ERR_5751"
    advice = "Restore the file from its backup; a secret is bound to its wallet and cannot be moved."


class NameTaken(DomainError):
    """Another wallet has this name."""

    code = "LUCID_ERR_4750"
    advice = "Choose another name; archived wallets keep theirs."


class AddressTaken(DomainError):
    """Another wallet has this address."""

    code = "LUCID_ERR_4751"
    advice = "Use the wallet that exists, restoring it if it is archived."


class WalletArchived(DomainError):
    """An archived wallet signs nothing."""

    code = "LUCID_ERR_4752"
    advice = "Restore it first."


class CannotSign(DomainError):
    """This wallet does not sign this transaction."""

    code = "LUCID_ERR_4753"
    advice = "Read `detail`; use the wallet that owns the transaction and only contracts it may call."


class BackupShown(DomainError):
    """The backup phrase was shown once and is not kept."""

    code = "LUCID_ERR_4754"
    advice = "If it was not written down, create a new wallet and move the funds."


class OutsideFamily(DomainError):
    """This wallet sends this asset to its parent and to wallets derived from it, and to nobody else."""

    code = "LUCID_ERR_4755"
    advice = (
        "Nothing was signed. If a service asked for it, find out who had it ask: it is no mistake of a payer."
    )


class NoDeposits(DomainError):
    """No deposit addresses can be derived from this wallet."""

    code = "LUCID_ERR_4756"
    advice = "Reserve addresses of a wallet that has a backup phrase and a cap for the token they take."


class OverCap(LimitExceeded):
    """The wallet's cap forbids this payment."""

    code = "LUCID_ERR_3750"
    advice = "Wait for the next UTC day, pay less, or let two people raise the cap."


class ClockWentBack(SystemFault):
    """The clock shows a day before one on which this wallet already paid."""

    code = "LUCID_ERR_5752"
    advice = "Set the clock; caps are counted by UTC days and an old day must not be opened again."
