"""Signed bytes, as they are stored before they leave."""

from __future__ import annotations

from dataclasses import dataclass

from lucid_kit.errors import SystemFault
from lucid_tron.codec.transaction import SignedTransaction, decode_signed, encode_signed


class StoredBytesDiffer(SystemFault):
    """Stored bytes are not those of the txID they were stored with."""

    code = "LUCID_ERR_5780"
    advice = "Stop. The database was altered or is damaged: restore it, then reconcile with the chain."


@dataclass(frozen=True, slots=True)
class Attempt:
    """Signed bytes. `envelope` is hexadecimal, empty once they must not be sent any more; times in ms UTC."""

    txid: str
    envelope: str
    expiration_ms: int

    @classmethod
    def of(cls, signed: SignedTransaction, expiration_ms: int) -> Attempt:
        """The attempt that sends these bytes."""
        return cls(signed.txid.hex(), encode_signed(signed).hex(), expiration_ms)

    @property
    def signed(self) -> SignedTransaction:
        """The bytes, checked once more to be those of the txID.

        Raises
        ------
        StoredBytesDiffer
            If they are not.
        """
        signed = decode_signed(bytes.fromhex(self.envelope))
        if signed.txid.hex() != self.txid:
            raise StoredBytesDiffer(f"The stored bytes are not those of {self.txid}")
        return signed
