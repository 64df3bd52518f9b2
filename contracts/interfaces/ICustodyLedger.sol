// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Consent} from "./Types.sol";

/// @title Who holds each case and pallet.
/// @notice A logistic unit (SSCC) has one holder; a handover needs both sides. Its number is namespaced by its creator:
///
///     number (64 bits) = party number of the creating premises (22 bits) ‖ that premises' own number (42 bits)
///
/// A child has its parent's holder until the parent is unpacked or the child is taken out; while inside, it cannot be
/// shipped, unpacked, opened or packed on its own: the outermost unit comes first. The SSCC itself is not on chain: `ssccCommitment` is
/// SHA-256("packtrace/sscc/v1" ‖ 16-byte salt ‖ SSCC of 18 digits), so that a number that may be used again (GS1 General
/// Specifications, 2.2.1: not within one year) is another unit with another commitment.
///
/// A unit is in transit exactly while a receiver is named. Until that receiver takes it over the sender is its holder, and
/// can take it back at any time. HANDOVER_PERIOD after it was shipped the receiver can only refuse it: nothing changes by
/// itself, the sender cancels, and ships again or keeps it.
interface ICustodyLedger {
    enum State {
        NONE,
        HELD,
        IN_TRANSIT,
        UNPACKED
    }

    /// @param contentRoot item root of the aggregation event that filled the unit
    /// @param count       items in that event
    /// @param children    logistic units put inside; held by the caller, not in transit, in no other parent
    struct Registration {
        uint64 number;
        bytes32 ssccCommitment;
        bytes32 contentRoot;
        uint32 count;
        uint64[] children;
    }

    /// @param receiver the party named to receive, 0 unless in transit
    /// @param parent   the logistic unit that this one is inside of, 0 for none
    /// @param since    unix time of the last change of this unit's own record
    struct Unit {
        State state;
        uint32 holder;
        uint32 receiver;
        uint64 parent;
        uint40 since;
    }

    event Registered(uint64 indexed number, uint32 indexed holder, bytes32 ssccCommitment, bytes32 contentRoot, uint32 count);
    event Packed(uint64 indexed child, uint64 indexed parent);
    event TakenOut(uint64 indexed child, uint64 indexed parent);
    event Unpacked(uint64 indexed number, uint32 indexed holder);
    event Shipped(uint64 indexed number, uint32 indexed from, uint32 indexed to);
    event ShipmentCancelled(uint64 indexed number, uint32 indexed from, uint32 indexed to);
    event Received(uint64 indexed number, uint32 indexed from, uint32 indexed to);
    event Refused(uint64 indexed number, uint32 indexed from, uint32 indexed to);
    /// @notice Named as missing in a partial receipt: out of its parent, held by the sender as before.
    event Missing(uint64 indexed number, uint64 indexed parent, uint32 indexed holder);

    error NumberNotYours(uint64 number, uint32 party);
    error UnitExists(uint64 number);
    error UnknownUnit(uint64 number);
    error NotHolder(uint64 number, uint32 party);
    error NotReceiver(uint64 number, uint32 party);
    error InsideParent(uint64 number, uint64 parent);
    error NotInside(uint64 number);
    /// @notice Missing can only be what is inside the unit received, at any level.
    error NotInsideOf(uint64 number, uint64 outer);
    error ShipmentExpired(uint64 number, uint40 until);
    error WrongState(uint64 number, State state);
    error ReceiverNotLicensed(uint32 party);
    error NestedTooDeep(uint64 number);
    error NothingNamed();
    error TooManyUnits(uint256 length);

    /// @notice Units and children in one call, at most.
    function MAX_UNITS() external view returns (uint256); // 256
    /// @notice Levels of units inside a unit, at most: a case on a pallet in a container is two.
    function MAX_NESTING() external view returns (uint8); // 8
    /// @notice A shipment can be received this long.
    function HANDOVER_PERIOD() external view returns (uint40); // 30 days

    // All are signed by an OPERATE key. Unlike status changes they revert as a whole: a handover is one act.
    /// @dev typed data: Register(Registration[] registrations,address signer,uint256 nonce,uint48 deadline)Registration(uint64 number,bytes32 ssccCommitment,bytes32 contentRoot,uint32 count,uint64[] children)
    function register(Registration[] calldata registrations, Consent calldata consent) external;
    /// @dev typed data: Ship(uint64[] numbers,uint32 to,address signer,uint256 nonce,uint48 deadline)
    function ship(uint64[] calldata numbers, uint32 to, Consent calldata consent) external;
    /// @dev typed data: CancelShipment(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)
    function cancelShipment(uint64[] calldata numbers, Consent calldata consent) external;
    /// @dev typed data: ReceiveShipment(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)
    function receiveShipment(uint64[] calldata numbers, Consent calldata consent) external;
    /// @notice Receive a unit, but for what is missing in it. A handover needs both sides, so what the receiver does not have
    /// is not handed over: it stays the sender's, free to be shipped, found or reported stolen, as if it had never been
    /// packed; all else is the receiver's, in the same act. Of a missing unit only the outermost is named.
    /// @dev typed data: ReceivePartly(uint64 number,uint64[] missing,address signer,uint256 nonce,uint48 deadline)
    /// @param missing logistic units inside `number`, at any level
    function receivePartly(uint64 number, uint64[] calldata missing, Consent calldata consent) external;
    /// @notice The named receiver turns the goods away: they are held by the sender again.
    /// @dev typed data: RefuseShipment(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)
    function refuseShipment(uint64[] calldata numbers, Consent calldata consent) external;
    /// @notice End these units; their children are free and stay with the holder.
    /// @dev typed data: Unpack(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)
    function unpack(uint64[] calldata numbers, Consent calldata consent) external;
    /// @notice Take single children out of their parent, which goes on.
    /// @dev typed data: TakeOut(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)
    function takeOut(uint64[] calldata numbers, Consent calldata consent) external;

    /// @notice The unit as it is now: holder, receiver and state are the outermost parent's while it is inside one.
    function unitOf(uint64 number) external view returns (Unit memory);
    /// @notice keccak256(abi.encode(ssccCommitment, contentRoot, count)) as registered
    function contentOf(uint64 number) external view returns (bytes32);
}
