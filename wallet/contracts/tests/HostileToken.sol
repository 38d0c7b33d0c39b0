// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;



/// A token that does what tokens should not, one trick at a time. For tests of the routers only.
contract HostileToken {
    enum Trick {
        None,
        AnswerNothing,
        AnswerTrueDoNothing,
        TakeFee,
        GiveMore,
        MoveElsewhere,
        Revert,
        ReenterPay,
        ReenterRescue,
        InflateBalance
    }

    mapping(address => uint256) private balances;
    Trick public trick;
    address public router;
    bytes private plan;
    uint256 private inflation;

    constructor(uint256 supply) {
        balances[msg.sender] = supply;
    }

    function play(Trick trick_, address router_, bytes calldata plan_) external {
        trick = trick_;
        router = router_;
        plan = plan_;
    }

    function balanceOf(address who) external view returns (uint256) {
        return who == router ? balances[who] : balances[who] + inflation;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        if (trick == Trick.Revert) revert("no");
        if (trick == Trick.AnswerTrueDoNothing) return true;
        if (trick == Trick.InflateBalance) {
            inflation += value;
            return true;
        }
        if (trick == Trick.ReenterPay || trick == Trick.ReenterRescue) {
            (bool done, ) = router.call(plan);
            done;
        }
        balances[msg.sender] -= value;
        if (trick == Trick.TakeFee) balances[to] += value - 1;
        else if (trick == Trick.GiveMore) balances[to] += value + 1;
        else if (trick == Trick.MoveElsewhere) balances[address(0xdead)] += value;
        else balances[to] += value;
        if (trick == Trick.AnswerNothing) {
            assembly {
                return(0, 0)
            }
        }
        return true;
    }
}
