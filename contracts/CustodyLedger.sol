// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ICustodyLedger} from "./interfaces/ICustodyLedger.sol";
import {IPartyRegistry} from "./interfaces/IPartyRegistry.sol";
import {Consent} from "./interfaces/Types.sol";
import {CustodyNumber} from "./libraries/CustodyNumber.sol";
import {Purposes} from "./libraries/Roles.sol";
import {PausableCalls} from "./PausableCalls.sol";
import {SignedCalls} from "./SignedCalls.sol";

/// @notice See `ICustodyLedger`.
/// @dev A child's record keeps its parent's number and is not written again while it travels inside: its holder and
/// state are read from the outermost unit. A parent is always younger than its children, so that there is no circle.
contract CustodyLedger is ICustodyLedger, SignedCalls, PausableCalls {
    using CustodyNumber for uint64;

    bytes32 private constant REGISTRATION =
        keccak256("Registration(uint64 number,bytes32 ssccCommitment,bytes32 contentRoot,uint32 count,uint64[] children)");
    bytes32 private constant REGISTER = keccak256(
        "Register(Registration[] registrations,address signer,uint256 nonce,uint48 deadline)Registration(uint64 number,bytes32 ssccCommitment,bytes32 contentRoot,uint32 count,uint64[] children)"
    );
    bytes32 private constant SHIP = keccak256("Ship(uint64[] numbers,uint32 to,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant CANCEL_SHIPMENT =
        keccak256("CancelShipment(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant RECEIVE_SHIPMENT =
        keccak256("ReceiveShipment(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant RECEIVE_PARTLY =
        keccak256("ReceivePartly(uint64 number,uint64[] missing,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant REFUSE_SHIPMENT =
        keccak256("RefuseShipment(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant UNPACK = keccak256("Unpack(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant TAKE_OUT = keccak256("TakeOut(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)");

    uint256 public constant MAX_UNITS = 256;
    uint8 public constant MAX_NESTING = 8;
    uint40 public constant HANDOVER_PERIOD = 30 days;

    IPartyRegistry public immutable REGISTRY;

    /// @dev One slot. `holder` and `state` of a unit inside a parent are not kept up to date; see `_outermost`.
    /// @param height levels of units that were ever inside
    struct Record {
        State state;
        uint8 height;
        uint32 holder;
        uint32 receiver;
        uint64 parent;
        uint40 since;
    }

    mapping(uint64 number => Record) private _records;
    mapping(uint64 number => bytes32) private _contents;

    constructor(address initialAuthority, IPartyRegistry registry) AccessManaged(initialAuthority) {
        REGISTRY = registry;
    }

    // ---- party calls ----

    function register(Registration[] calldata registrations, Consent calldata consent) external whenNotPaused {
        bytes32[] memory hashes = new bytes32[](registrations.length);
        uint256 named = registrations.length;
        for (uint256 i = 0; i < registrations.length; ++i) {
            hashes[i] = _hashOf(registrations[i]);
            named += registrations[i].children.length;
        }
        _checkLength(named);
        _accept(abi.encode(REGISTER, keccak256(abi.encodePacked(hashes))), consent);
        uint32 party = _partyOf(consent.signer);
        for (uint256 i = 0; i < registrations.length; ++i) {
            _register(registrations[i], party);
        }
    }

    function ship(uint64[] calldata numbers, uint32 to, Consent calldata consent) external whenNotPaused {
        _checkLength(numbers.length);
        _accept(abi.encode(SHIP, keccak256(abi.encodePacked(numbers)), to), consent);
        uint32 party = _partyOf(consent.signer);
        if (!REGISTRY.isLicensed(to)) revert ReceiverNotLicensed(to);
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            Record memory record = _held(number, party);
            record.state = State.IN_TRANSIT;
            record.receiver = to;
            _store(number, record);
            emit Shipped(number, party, to);
        }
    }

    function cancelShipment(uint64[] calldata numbers, Consent calldata consent) external whenNotPaused {
        uint32 party = _acceptList(CANCEL_SHIPMENT, numbers, consent);
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            Record memory record = _inState(number, State.IN_TRANSIT);
            if (record.holder != party) revert NotHolder(number, party);
            uint32 to = record.receiver;
            _settle(number, record, party);
            emit ShipmentCancelled(number, party, to);
        }
    }

    function receiveShipment(uint64[] calldata numbers, Consent calldata consent) external whenNotPaused {
        uint32 party = _acceptList(RECEIVE_SHIPMENT, numbers, consent);
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            _receive(number, _arriving(number, party), party);
        }
    }

    function receivePartly(uint64 number, uint64[] calldata missing, Consent calldata consent)
        external
        whenNotPaused
    {
        _checkLength(missing.length);
        _accept(abi.encode(RECEIVE_PARTLY, number, keccak256(abi.encodePacked(missing))), consent);
        uint32 party = _partyOf(consent.signer);
        Record memory record = _arriving(number, party);
        for (uint256 i = 0; i < missing.length; ++i) {
            _leaveBehind(missing[i], number, record.holder);
        }
        _receive(number, record, party);
    }

    function refuseShipment(uint64[] calldata numbers, Consent calldata consent) external whenNotPaused {
        uint32 party = _acceptList(REFUSE_SHIPMENT, numbers, consent);
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            Record memory record = _comingTo(number, party);
            _settle(number, record, record.holder);
            emit Refused(number, record.holder, party);
        }
    }

    function unpack(uint64[] calldata numbers, Consent calldata consent) external whenNotPaused {
        uint32 party = _acceptList(UNPACK, numbers, consent);
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            Record memory record = _held(number, party);
            record.state = State.UNPACKED;
            _store(number, record);
            emit Unpacked(number, party);
        }
    }

    function takeOut(uint64[] calldata numbers, Consent calldata consent) external whenNotPaused {
        uint32 party = _acceptList(TAKE_OUT, numbers, consent);
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            Record memory record = _outermost(number);
            uint64 parent = record.parent;
            if (parent == 0) revert NotInside(number);
            _held(parent, party);
            record.parent = 0;
            _settle(number, record, party);
            emit TakenOut(number, parent);
        }
    }

    // ---- read by anybody ----

    function unitOf(uint64 number) external view returns (Unit memory) {
        Record memory own = _released(_records[number]);
        Record memory outer = own;
        while (outer.parent != 0) {
            outer = _released(_records[outer.parent]);
        }
        return Unit(outer.state, outer.holder, outer.receiver, own.parent, own.since);
    }

    function contentOf(uint64 number) external view returns (bytes32) {
        return _contents[number];
    }

    // ---- inside: calls ----

    function _checkLength(uint256 length) private pure {
        if (length == 0) revert NothingNamed();
        if (length > MAX_UNITS) revert TooManyUnits(length);
    }

    function _partyOf(address key) private view returns (uint32 party) {
        (party,,) = REGISTRY.authority(key, Purposes.OPERATE);
    }

    /// @return party that the signer of a call of the form (uint64[] numbers, nonce, deadline) speaks for
    function _acceptList(bytes32 typeHash, uint64[] calldata numbers, Consent calldata consent)
        private
        returns (uint32 party)
    {
        _checkLength(numbers.length);
        _accept(abi.encode(typeHash, keccak256(abi.encodePacked(numbers))), consent);
        return _partyOf(consent.signer);
    }

    function _hashOf(Registration calldata data) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REGISTRATION,
                data.number,
                data.ssccCommitment,
                data.contentRoot,
                data.count,
                keccak256(abi.encodePacked(data.children))
            )
        );
    }

    function _register(Registration calldata data, uint32 party) private {
        uint64 number = data.number;
        if (number.creatorOf() != party) revert NumberNotYours(number, party);
        if (_records[number].state != State.NONE) revert UnitExists(number);
        uint8 height;
        for (uint256 i = 0; i < data.children.length; ++i) {
            uint64 child = data.children[i];
            Record memory record = _held(child, party);
            if (record.height >= height) height = record.height + 1;
            record.parent = number;
            _store(child, record);
            emit Packed(child, number);
        }
        if (height > MAX_NESTING) revert NestedTooDeep(number);
        _store(number, Record(State.HELD, height, party, 0, 0, 0));
        _contents[number] = keccak256(abi.encode(data.ssccCommitment, data.contentRoot, data.count));
        emit Registered(number, party, data.ssccCommitment, data.contentRoot, data.count);
    }

    /// @param record of the outermost unit, which arrives
    function _receive(uint64 number, Record memory record, uint32 party) private {
        uint32 from = record.holder;
        _settle(number, record, party);
        emit Received(number, from, party);
    }

    /// @notice Take a unit that is missing out of the one that arrives, for the sender.
    function _leaveBehind(uint64 number, uint64 outer, uint32 sender) private {
        Record memory record = _outermost(number);
        uint64 parent = record.parent;
        for (uint64 above = parent; above != outer; above = _released(_records[above]).parent) {
            if (above == 0) revert NotInsideOf(number, outer);
        }
        record.parent = 0;
        _settle(number, record, sender);
        emit Missing(number, parent, sender);
    }

    // ---- inside: records ----

    /// @return record as it is, but freed from a parent that was unpacked: held by whom the parent was held
    function _released(Record memory record) private view returns (Record memory) {
        if (record.parent == 0) return record;
        Record storage parent = _records[record.parent];
        if (parent.state == State.UNPACKED) {
            record.holder = parent.holder;
            record.parent = 0;
        }
        return record;
    }

    /// @return record of a unit that exists; its `parent` is not 0 while it is inside one
    function _outermost(uint64 number) private view returns (Record memory record) {
        record = _records[number];
        if (record.state == State.NONE) revert UnknownUnit(number);
        return _released(record);
    }

    /// @return record of a unit that exists, is inside no other and is in this state
    function _inState(uint64 number, State state) private view returns (Record memory record) {
        record = _outermost(number);
        if (record.parent != 0) revert InsideParent(number, record.parent);
        if (record.state != state) revert WrongState(number, record.state);
    }

    function _held(uint64 number, uint32 party) private view returns (Record memory record) {
        record = _inState(number, State.HELD);
        if (record.holder != party) revert NotHolder(number, party);
    }

    function _comingTo(uint64 number, uint32 party) private view returns (Record memory record) {
        record = _inState(number, State.IN_TRANSIT);
        if (record.receiver != party) revert NotReceiver(number, party);
    }

    function _arriving(uint64 number, uint32 party) private view returns (Record memory record) {
        record = _comingTo(number, party);
        uint40 until = record.since + HANDOVER_PERIOD;
        if (block.timestamp > until) revert ShipmentExpired(number, until);
    }

    function _settle(uint64 number, Record memory record, uint32 holder) private {
        record.state = State.HELD;
        record.holder = holder;
        record.receiver = 0;
        _store(number, record);
    }

    function _store(uint64 number, Record memory record) private {
        record.since = uint40(block.timestamp);
        _records[number] = record;
    }
}
