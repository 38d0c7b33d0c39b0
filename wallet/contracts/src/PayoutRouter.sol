// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

interface IToken {
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 value) external returns (bool);
    function isBlackListed(address who) external view returns (bool);
}

/// Pays batches of payouts out of its own balance of one token, each payout id at most once for ever.
///
/// What holds, whatever the token does:
///  - an id is marked before its transfer, so no path pays it twice, not even one that re-enters;
///  - a batch is paid wholly or not at all;
///  - a payout counts as done only when the recipient's balance rose, and the router's fell, by exactly its
///    amount. The token's answer is not believed: USDT on TRON answers false on success. A token that takes a
///    fee makes the batch revert;
///  - no payout exceeds `maxPayout` and no epoch's sum exceeds `maxEpoch`;
///  - nobody is paid whom the token says its issuer has frozen: USDT would arrive and stay there.
///
/// Roles: the owner (two-step hand-over) sets roles and caps, unpauses and rescues; the operator pays; the pauser
/// and the owner pause.
contract PayoutRouter {
    struct Payout {
        bytes32 id;
        address to;
        uint256 amount;
    }

    uint256 public constant MAX_BATCH = 30;

    IToken public immutable token;
    /// Length of an epoch in seconds; epoch n begins at n * epochSeconds.
    uint256 public immutable epochSeconds;

    address public owner;
    address public pendingOwner;
    address public operator;
    address public pauser;
    bool public paused;
    bool private entered;

    uint256 public maxPayout;
    uint256 public maxEpoch;
    mapping(uint256 => uint256) public spentInEpoch;
    mapping(bytes32 => bool) private used;

    event Paid(bytes32 indexed id, bytes32 indexed batchId, address indexed to, uint256 amount);
    event BatchPaid(bytes32 indexed batchId, uint256 count, uint256 total);
    event CapsChanged(uint256 maxPayout, uint256 maxEpoch);
    event Paused(address indexed by);
    event Unpaused(address indexed by);
    event OperatorChanged(address indexed operator);
    event PauserChanged(address indexed pauser);
    event OwnershipOffered(address indexed owner, address indexed pendingOwner);
    event OwnershipTaken(address indexed owner);
    event Rescued(address indexed token, address indexed to, uint256 amount);

    error NotOwner();
    error NotPendingOwner();
    error NotOperator();
    error NotPauser();
    error IsPaused();
    error NotPaused();
    error Reentered();
    error ZeroAddress();
    error BatchSize(uint256 count);
    error AlreadyPaid(bytes32 id);
    error BadRecipient(bytes32 id, address to);
    error ZeroAmount(bytes32 id);
    error OverPayoutCap(bytes32 id, uint256 amount, uint256 cap);
    error OverEpochCap(uint256 epoch, uint256 spent, uint256 cap);
    error RecipientFrozen(bytes32 id, address to);
    error TransferFailed(bytes32 id);
    error WrongDelta(bytes32 id, uint256 expected, uint256 received, uint256 spent);
    error RescueFailed();

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    modifier nonReentrant() {
        if (entered) revert Reentered();
        entered = true;
        _;
        entered = false;
    }

    constructor(
        address token_,
        address owner_,
        address operator_,
        address pauser_,
        uint256 maxPayout_,
        uint256 maxEpoch_,
        uint256 epochSeconds_
    ) {
        if (token_ == address(0) || owner_ == address(0) || epochSeconds_ == 0) revert ZeroAddress();
        token = IToken(token_);
        owner = owner_;
        operator = operator_;
        pauser = pauser_;
        epochSeconds = epochSeconds_;
        maxPayout = maxPayout_;
        maxEpoch = maxEpoch_;
        emit OwnershipTaken(owner_);
        emit OperatorChanged(operator_);
        emit PauserChanged(pauser_);
        emit CapsChanged(maxPayout_, maxEpoch_);
    }

    // ---- paying

    /// Pay every payout or none. `batchId` only labels the events; it is the payout ids that are spent.
    function payBatch(bytes32 batchId, Payout[] calldata payouts) external nonReentrant {
        if (msg.sender != operator) revert NotOperator();
        if (paused) revert IsPaused();
        uint256 count = payouts.length;
        if (count == 0 || count > MAX_BATCH) revert BatchSize(count);
        uint256 total = _reserve(payouts);
        for (uint256 i = 0; i < count; i++) {
            Payout calldata payout = payouts[i];
            _pay(payout);
            emit Paid(payout.id, batchId, payout.to, payout.amount);
        }
        emit BatchPaid(batchId, count, total);
    }

    function isPaid(bytes32 id) external view returns (bool) {
        return used[id];
    }

    function currentEpoch() public view returns (uint256) {
        return block.timestamp / epochSeconds;
    }

    /// All effects of a batch, before any call leaves the contract.
    function _reserve(Payout[] calldata payouts) private returns (uint256 total) {
        for (uint256 i = 0; i < payouts.length; i++) {
            Payout calldata payout = payouts[i];
            if (used[payout.id]) revert AlreadyPaid(payout.id);
            used[payout.id] = true;
            if (payout.to == address(0) || payout.to == address(this) || payout.to == address(token)) {
                revert BadRecipient(payout.id, payout.to);
            }
            if (payout.amount == 0) revert ZeroAmount(payout.id);
            if (payout.amount > maxPayout) revert OverPayoutCap(payout.id, payout.amount, maxPayout);
            _check(payout);
            total += payout.amount;
        }
        uint256 epoch = currentEpoch();
        uint256 spent = spentInEpoch[epoch] + total;
        if (spent > maxEpoch) revert OverEpochCap(epoch, spent, maxEpoch);
        spentInEpoch[epoch] = spent;
    }

    /// For routers that ask more of a recipient.
    function _check(Payout calldata payout) internal virtual {}

    function _pay(Payout calldata payout) private {
        if (_isFrozen(payout.to)) revert RecipientFrozen(payout.id, payout.to);
        uint256 theirs = token.balanceOf(payout.to);
        uint256 ours = token.balanceOf(address(this));
        (bool done, ) = address(token).call(abi.encodeCall(IToken.transfer, (payout.to, payout.amount)));
        if (!done) revert TransferFailed(payout.id);
        uint256 theirsNow = token.balanceOf(payout.to);
        uint256 oursNow = token.balanceOf(address(this));
        uint256 received = theirsNow > theirs ? theirsNow - theirs : 0;
        uint256 spent = ours > oursNow ? ours - oursNow : 0;
        if (received != payout.amount || spent != payout.amount) {
            revert WrongDelta(payout.id, payout.amount, received, spent);
        }
    }

    /// A token that knows no such question has frozen nobody.
    function _isFrozen(address who) private view returns (bool) {
        (bool answered, bytes memory said) = address(token).staticcall(abi.encodeCall(IToken.isBlackListed, (who)));
        return answered && said.length == 32 && uint256(bytes32(said)) != 0;
    }

    // ---- roles, caps, emergencies

    function setCaps(uint256 maxPayout_, uint256 maxEpoch_) external onlyOwner {
        maxPayout = maxPayout_;
        maxEpoch = maxEpoch_;
        emit CapsChanged(maxPayout_, maxEpoch_);
    }

    function setOperator(address operator_) external onlyOwner {
        operator = operator_;
        emit OperatorChanged(operator_);
    }

    function setPauser(address pauser_) external onlyOwner {
        pauser = pauser_;
        emit PauserChanged(pauser_);
    }

    function offerOwnership(address to) external onlyOwner {
        pendingOwner = to;
        emit OwnershipOffered(owner, to);
    }

    function takeOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner();
        owner = msg.sender;
        pendingOwner = address(0);
        emit OwnershipTaken(msg.sender);
    }

    function pause() external {
        if (msg.sender != pauser && msg.sender != owner) revert NotPauser();
        paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external onlyOwner {
        paused = false;
        emit Unpaused(msg.sender);
    }

    /// Take any token out again. The payout token only while paused, so that no batch is under way.
    function rescue(address what, address to, uint256 amount) external onlyOwner nonReentrant {
        if (what == address(token) && !paused) revert NotPaused();
        if (to == address(0)) revert ZeroAddress();
        (bool done, ) = what.call(abi.encodeCall(IToken.transfer, (to, amount)));
        if (!done) revert RescueFailed();
        emit Rescued(what, to, amount);
    }
}
