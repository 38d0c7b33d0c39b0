"""Why an attestation is not taken."""

from lucid_kit.errors import DomainError, NotFound, ValidationFailed


class MalformedAttestation(ValidationFailed):
    """An attestation is not of its form."""

    code = "LUCID_ERR_1840"
    advice = "Compare it with docs/specs/kyc.md."


class AttestationNotFound(NotFound):
    """There is no attestation for that address."""

    code = "LUCID_ERR_1841"
    advice = "Ask the payee to be attested by one of the issuers."


class AttestationRefused(DomainError):
    """An attestation does not count here: issuer, router, chain, time or nonce are not right."""

    code = "LUCID_ERR_4840"
    advice = "Ask a listed issuer for a new attestation, for this router, with the next nonce."


class NoAttestations(DomainError):
    """Payouts go through no router that asks for attestations."""

    code = "LUCID_ERR_4841"
    advice = (
        "Nothing to do: every payee may be paid. Set ROUTER_KIND=kyc and a router of that kind to use them."
    )
