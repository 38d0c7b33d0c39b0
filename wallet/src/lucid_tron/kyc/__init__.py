"""Attestations: that an issuer vouches for a payee, and up to which level. Never who the payee is.

An attestation is TIP-712 data {subject, level, expiry, nonce, chainId, router} which the router checks on
chain (`KycPayoutRouter.sol`). Here it is read, signed by issuers, kept, brought to the chain, and looked up;
no personal data is taken or kept anywhere in the wallet plane.
"""

from lucid_tron.kyc.attestation import Attestation, SignedAttestation
from lucid_tron.kyc.router import KycRouter, Standing
from lucid_tron.kyc.service import Attestations

__all__ = ["Attestation", "Attestations", "KycRouter", "SignedAttestation", "Standing"]
