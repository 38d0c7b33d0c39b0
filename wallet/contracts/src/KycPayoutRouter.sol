// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {PayoutRouter} from "./PayoutRouter.sol";

/// A payout router that pays only recipients an issuer has attested, up to their level's cap in each epoch.
///
/// An attestation is TIP-712 data {subject, level, expiry, nonce, chainId, router}, signed by an issuer and put on
/// the chain by anybody with `attest`. It carries no personal data. It counts while it has not expired, its issuer
/// is still listed, and nothing newer replaced or revoked it: nonces of a subject only rise.
contract KycPayoutRouter is PayoutRouter {
    struct Attestation {
        address subject;
        uint8 level;
        uint64 expiry;
        uint64 nonce;
        uint256 chainId;
        address router;
    }

    struct Standing {
        address issuer;
        uint8 level;
        uint64 expiry;
        uint64 nonce;
    }

    bytes32 public constant ATTESTATION_TYPE =
        keccak256(
            "Attestation(address subject,uint8 level,uint64 expiry,uint64 nonce,uint256 chainId,address router)"
        );
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    /// Half the order of secp256k1: a signature with a greater s has a twin and is refused.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    mapping(address => bool) public isIssuer;
    mapping(address => Standing) public standingOf;
    /// The most a recipient of a level may get in one epoch; 0 pays that level nothing.
    mapping(uint8 => uint256) public levelCap;
    mapping(uint256 => mapping(address => uint256)) public receivedInEpoch;

    event IssuerChanged(address indexed issuer, bool listed);
    event LevelCapChanged(uint8 indexed level, uint256 cap);
    event Attested(address indexed subject, address indexed issuer, uint8 level, uint64 expiry, uint64 nonce);
    event Revoked(address indexed subject, address indexed by, uint64 nonce);

    error WrongChain(uint256 chainId);
    error WrongRouter(address router);
    error AttestationExpired(address subject, uint64 expiry);
    error StaleNonce(address subject, uint64 nonce, uint64 newest);
    error BadSignature();
    error UnknownIssuer(address issuer);
    error NotAttested(bytes32 id, address to);
    error OverLevelCap(bytes32 id, address to, uint256 received, uint256 cap);

    constructor(
        address token_,
        address owner_,
        address operator_,
        address pauser_,
        uint256 maxPayout_,
        uint256 maxEpoch_,
        uint256 epochSeconds_
    ) PayoutRouter(token_, owner_, operator_, pauser_, maxPayout_, maxEpoch_, epochSeconds_) {}

    // ---- attestations

    function domainSeparator() public view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    DOMAIN_TYPE,
                    keccak256("Lucid KYC Payout Router"),
                    keccak256("1"),
                    block.chainid,
                    address(this)
                )
            );
    }

    /// What an issuer signs.
    function digestOf(Attestation calldata a) public view returns (bytes32) {
        bytes32 content = keccak256(
            abi.encode(ATTESTATION_TYPE, a.subject, a.level, a.expiry, a.nonce, a.chainId, a.router)
        );
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), content));
    }

    /// Record an attestation. Anybody may bring it; the issuer's signature decides.
    function attest(Attestation calldata a, uint8 v, bytes32 r, bytes32 s) external {
        if (a.chainId != block.chainid) revert WrongChain(a.chainId);
        if (a.router != address(this)) revert WrongRouter(a.router);
        if (a.expiry <= block.timestamp) revert AttestationExpired(a.subject, a.expiry);
        uint64 newest = standingOf[a.subject].nonce;
        if (a.nonce <= newest) revert StaleNonce(a.subject, a.nonce, newest);
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) revert BadSignature();
        address issuer = ecrecover(digestOf(a), v, r, s);
        if (issuer == address(0)) revert BadSignature();
        if (!isIssuer[issuer]) revert UnknownIssuer(issuer);
        standingOf[a.subject] = Standing(issuer, a.level, a.expiry, a.nonce);
        emit Attested(a.subject, issuer, a.level, a.expiry, a.nonce);
    }

    /// Withdraw a subject's standing; attestations up to `nonce` can never be brought again.
    function revoke(address subject, uint64 nonce) external {
        if (msg.sender != owner && !isIssuer[msg.sender]) revert UnknownIssuer(msg.sender);
        uint64 newest = standingOf[subject].nonce;
        if (nonce < newest) revert StaleNonce(subject, nonce, newest);
        standingOf[subject] = Standing(address(0), 0, 0, nonce);
        emit Revoked(subject, msg.sender, nonce);
    }

    /// The level that counts now, and whether one does.
    function levelOf(address subject) public view returns (bool attested, uint8 level) {
        Standing storage standing = standingOf[subject];
        attested = standing.expiry > block.timestamp && isIssuer[standing.issuer];
        level = attested ? standing.level : 0;
    }

    // ---- rules

    function setIssuer(address issuer, bool listed) external onlyOwner {
        if (issuer == address(0)) revert ZeroAddress();
        isIssuer[issuer] = listed;
        emit IssuerChanged(issuer, listed);
    }

    function setLevelCap(uint8 level, uint256 cap) external onlyOwner {
        levelCap[level] = cap;
        emit LevelCapChanged(level, cap);
    }

    function _check(Payout calldata payout) internal override {
        (bool attested, uint8 level) = levelOf(payout.to);
        if (!attested) revert NotAttested(payout.id, payout.to);
        uint256 epoch = currentEpoch();
        uint256 received = receivedInEpoch[epoch][payout.to] + payout.amount;
        if (received > levelCap[level]) revert OverLevelCap(payout.id, payout.to, received, levelCap[level]);
        receivedInEpoch[epoch][payout.to] = received;
    }
}
