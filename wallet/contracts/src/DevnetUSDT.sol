// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

interface ISuccessor {
    function transferByLegacy(address from, address to, uint256 value) external returns (bool);
    function transferFromByLegacy(address sender, address from, address to, uint256 value) external returns (bool);
    function approveByLegacy(address from, address spender, uint256 value) external returns (bool);
    function balanceOf(address who) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    function totalSupply() external view returns (uint256);
}

/// The devnet's USDT. It behaves as TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t does where that surprises people:
/// `transfer` answers false when it succeeded, `transferFrom` and `approve` answer true, a fee may be switched on
/// and goes to the owner in a Transfer of its own, it can be paused, a blacklisted account cannot send (but can
/// receive), and after `deprecate` every call is passed on to a successor. Worth nothing, never for a real network.
contract DevnetUSDT {
    string public name;
    string public symbol;
    uint8 public immutable decimals;

    address public owner;
    bool public paused;
    bool public deprecated;
    address public upgradedAddress;
    uint256 public basisPointsRate;
    uint256 public maximumFee;

    uint256 public constant MAX_SETTABLE_BASIS_POINTS = 20;
    uint256 public constant MAX_SETTABLE_FEE = 50;
    uint256 public constant MAX_UINT = type(uint256).max;

    uint256 private _supply;
    mapping(address => uint256) private _balances;
    mapping(address => mapping(address => uint256)) private _allowed;
    mapping(address => bool) public isBlackListed;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event Issue(uint256 amount);
    event Redeem(uint256 amount);
    event Deprecate(address newAddress);
    event Params(uint256 feeBasisPoints, uint256 maxFee);
    event Pause();
    event Unpause();
    event AddedBlackList(address indexed _user);
    event RemovedBlackList(address indexed _user);
    event DestroyedBlackFunds(address indexed _blackListedUser, uint256 _balance);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    modifier onlyOwner() {
        require(msg.sender == owner);
        _;
    }

    modifier whenNotPaused() {
        require(!paused);
        _;
    }

    constructor(uint256 supply, string memory name_, string memory symbol_, uint8 decimals_) {
        owner = msg.sender;
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
        _supply = supply;
        _balances[msg.sender] = supply;
        emit Transfer(address(0), msg.sender, supply);
    }

    function totalSupply() public view returns (uint256) {
        return deprecated ? ISuccessor(upgradedAddress).totalSupply() : _supply;
    }

    function balanceOf(address who) public view returns (uint256) {
        return deprecated ? ISuccessor(upgradedAddress).balanceOf(who) : _balances[who];
    }

    function oldBalanceOf(address who) public view returns (uint256) {
        return _balances[who];
    }

    function allowance(address holder, address spender) public view returns (uint256) {
        return deprecated ? ISuccessor(upgradedAddress).allowance(holder, spender) : _allowed[holder][spender];
    }

    function getBlackListStatus(address who) external view returns (bool) {
        return isBlackListed[who];
    }

    function calcFee(uint256 value) public view returns (uint256 fee) {
        fee = (value * basisPointsRate) / 10000;
        uint256 most = maximumFee;
        if (fee > most) fee = most;
    }

    /// Answers false on success: the named result is never set, as in the real token.
    function transfer(address to, uint256 value) public whenNotPaused returns (bool answer) {
        require(!isBlackListed[msg.sender]);
        if (deprecated) return ISuccessor(upgradedAddress).transferByLegacy(msg.sender, to, value);
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) public whenNotPaused returns (bool) {
        require(!isBlackListed[from]);
        if (deprecated) return ISuccessor(upgradedAddress).transferFromByLegacy(msg.sender, from, to, value);
        uint256 allowed = _allowed[from][msg.sender];
        require(value <= allowed);
        if (allowed < MAX_UINT) _allowed[from][msg.sender] = allowed - value;
        _move(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) public whenNotPaused returns (bool) {
        if (deprecated) return ISuccessor(upgradedAddress).approveByLegacy(msg.sender, spender, value);
        _approve(spender, value);
        return true;
    }

    function increaseApproval(address spender, uint256 added) public whenNotPaused returns (bool) {
        _approve(spender, _allowed[msg.sender][spender] + added);
        return true;
    }

    function decreaseApproval(address spender, uint256 taken) public whenNotPaused returns (bool) {
        uint256 there = _allowed[msg.sender][spender];
        _approve(spender, taken > there ? 0 : there - taken);
        return true;
    }

    function issue(uint256 amount) external onlyOwner {
        _balances[owner] += amount;
        _supply += amount;
        emit Issue(amount);
        emit Transfer(address(0), owner, amount);
    }

    function redeem(uint256 amount) external onlyOwner {
        _supply -= amount;
        _balances[owner] -= amount;
        emit Redeem(amount);
        emit Transfer(owner, address(0), amount);
    }

    function setParams(uint256 newBasisPoints, uint256 newMaxFee) external onlyOwner {
        require(newBasisPoints < MAX_SETTABLE_BASIS_POINTS);
        require(newMaxFee < MAX_SETTABLE_FEE);
        basisPointsRate = newBasisPoints;
        maximumFee = newMaxFee * (10 ** uint256(decimals));
        emit Params(basisPointsRate, maximumFee);
    }

    function pause() external onlyOwner {
        require(!paused);
        paused = true;
        emit Pause();
    }

    function unpause() external onlyOwner {
        require(paused);
        paused = false;
        emit Unpause();
    }

    function addBlackList(address who) external onlyOwner {
        isBlackListed[who] = true;
        emit AddedBlackList(who);
    }

    function removeBlackList(address who) external onlyOwner {
        isBlackListed[who] = false;
        emit RemovedBlackList(who);
    }

    function destroyBlackFunds(address who) external onlyOwner {
        require(isBlackListed[who]);
        uint256 funds = _balances[who];
        _balances[who] = 0;
        _supply -= funds;
        emit DestroyedBlackFunds(who, funds);
    }

    function deprecate(address successor) external onlyOwner {
        require(successor != address(0));
        deprecated = true;
        upgradedAddress = successor;
        emit Deprecate(successor);
    }

    function transferOwnership(address newOwner) external onlyOwner {
        require(newOwner != address(0));
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function _approve(address spender, uint256 value) private {
        _allowed[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function _move(address from, address to, uint256 value) private {
        uint256 fee = calcFee(value);
        _pay(from, to, value - fee);
        if (fee > 0) _pay(from, owner, fee);
    }

    function _pay(address from, address to, uint256 value) private {
        require(to != address(0));
        _balances[from] -= value;
        _balances[to] += value;
        emit Transfer(from, to, value);
    }
}
