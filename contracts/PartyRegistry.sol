// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPartyRegistry} from "./interfaces/IPartyRegistry.sol";
import {Consent} from "./interfaces/Types.sol";
import {KeyWord, keyWordOf} from "./libraries/KeyWord.sol";
import {PartyWord, partyWordOf} from "./libraries/PartyWord.sol";
import {Purposes, Roles} from "./libraries/Roles.sol";
import {SignedCalls} from "./SignedCalls.sol";

/// @notice See `IPartyRegistry`.
contract PartyRegistry is IPartyRegistry, SignedCalls, AccessManaged {
    bytes32 private constant AUTHORISE_LINE =
        keccak256("AuthoriseLine(bytes32 productKey,uint32 party,uint40 until,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant AUTHORISE_QUALITY =
        keccak256("AuthoriseQuality(bytes32 productKey,address key,uint40 until,address signer,uint256 nonce,uint48 deadline)");

    bytes32 private constant ROTATE_KEY =
        keccak256("RotateKey(address oldKey,address newKey,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant REPLACE_KEY =
        keccak256("ReplaceKey(address oldKey,address newKey,uint40 validUntil,address signer,uint256 nonce,uint48 deadline)");

    /// @dev Batch, unit and logistic-unit numbers have 22 bits for a party.
    uint32 private constant PARTY_NUMBERS = 1 << 22;

    uint16 public constant ROLE_REGULATOR = Roles.REGULATOR;
    uint16 public constant ROLE_MAH = Roles.MAH;
    uint16 public constant ROLE_MANUFACTURER = Roles.MANUFACTURER;
    uint16 public constant ROLE_WHOLESALER = Roles.WHOLESALER;
    uint16 public constant ROLE_DISPENSER = Roles.DISPENSER;
    uint16 public constant ROLE_SUPPLYING_WHOLESALER = Roles.SUPPLYING_WHOLESALER;

    uint8 public constant PURPOSE_OPERATE = Purposes.OPERATE;
    uint8 public constant PURPOSE_LINE = Purposes.LINE;
    uint8 public constant PURPOSE_QUALITY = Purposes.QUALITY;
    uint8 public constant PURPOSE_MANAGE = Purposes.MANAGE;

    struct ProductByKey {
        uint32 product;
        uint32 mah;
    }

    struct ProductByNumber {
        bytes32 productKey;
        uint32 mah;
    }

    mapping(uint32 party => Party) private _parties;
    mapping(uint32 party => Profile) private _profiles;
    mapping(address key => Key) private _keys;
    mapping(uint24 number => address key) private _numberedKeys;
    mapping(bytes32 productKey => ProductByKey) private _products;
    mapping(uint32 product => ProductByNumber) private _productNumbers;
    mapping(uint32 product => mapping(uint32 party => uint40 until)) private _lines;
    mapping(uint32 product => mapping(address key => uint40 until)) private _qualityKeys;
    mapping(bytes32 gtinHash => uint32 mah) private _gtins;
    uint32 private _productCount;
    uint24 private _keyCount;

    constructor(address initialAuthority) AccessManaged(initialAuthority) {}

    // ---- written by the licensing authority ----

    function registerParty(uint32 party, Party calldata data, Profile calldata profile) external restricted {
        if (party >= PARTY_NUMBERS) revert PartyNumberTooLarge(party);
        if (party == 0) revert UnknownParty(party);
        if (_parties[party].company != 0) revert PartyExists(party);
        if (data.company != party) _requireCompany(data.company);
        _checkLicence(data.roles, data.licensedFrom, data.licensedUntil);
        _parties[party] = Party(data.company, data.roles, data.licensedFrom, data.licensedUntil, 0);
        _profiles[party] = profile;
        emit PartyRegistered(party, data.company, data.roles, profile.glnCommitment);
        emit ProfileChanged(party, profile.name, profile.endpoint);
        emit LicenceChanged(party, data.roles, data.licensedFrom, data.licensedUntil);
    }

    function setProfile(uint32 party, string calldata name, string calldata endpoint) external restricted {
        _requireParty(party);
        _profiles[party].name = name;
        _profiles[party].endpoint = endpoint;
        emit ProfileChanged(party, name, endpoint);
    }

    function setLicence(uint32 party, uint16 roles, uint40 licensedFrom, uint40 licensedUntil) external restricted {
        Party storage data = _requireParty(party);
        _checkLicence(roles, licensedFrom, licensedUntil);
        data.roles = roles;
        data.licensedFrom = licensedFrom;
        data.licensedUntil = licensedUntil;
        emit LicenceChanged(party, roles, licensedFrom, licensedUntil);
    }

    function suspend(uint32 party) external restricted {
        Party storage data = _requireParty(party);
        if (data.suspendedSince == 0) data.suspendedSince = uint40(block.timestamp);
        emit Suspended(party);
    }

    function reinstate(uint32 party) external restricted {
        _requireParty(party).suspendedSince = 0;
        emit Reinstated(party);
    }

    function addKey(uint32 party, address key, uint8 purposes, uint40 validFrom, uint40 validUntil)
        external
        restricted
    {
        _requireParty(party);
        if (key == address(0)) revert UnknownKey(key);
        if (purposes == 0 || purposes > Purposes.ALL) revert InvalidPurposes(purposes);
        _addKey(key, Key(party, purposes, validFrom, validUntil, 0, 0, false, 0, 0));
    }

    function revokeKey(address key, uint40 compromisedSince) external restricted {
        Key storage data = _requireKey(key);
        if (compromisedSince > block.timestamp) revert InvalidPeriod(compromisedSince, uint40(block.timestamp));
        if (data.revokedAt == 0) data.revokedAt = uint40(block.timestamp);
        if (compromisedSince != 0) data.compromisedSince = compromisedSince;
        emit KeyRevoked(data.party, key, compromisedSince);
    }

    function suspendKey(address key) external restricted {
        Key storage data = _requireKey(key);
        data.suspended = true;
        emit KeySuspended(data.party, key);
    }

    function reinstateKey(address key) external restricted {
        Key storage data = _requireKey(key);
        data.suspended = false;
        emit KeyReinstated(data.party, key);
    }

    function setDailyCap(address key, uint16 dailyCap) external restricted {
        Key storage data = _requireKey(key);
        data.dailyCap = dailyCap;
        emit DailyCapChanged(data.party, key, dailyCap);
    }

    function replaceKey(address oldKey, address newKey, uint40 validUntil, Consent calldata possession)
        external
        restricted
    {
        _acceptPossession(abi.encode(REPLACE_KEY, oldKey, newKey, validUntil), newKey, possession);
        if (_requireKey(oldKey).revokedAt != 0) revert KeyNotValid(oldKey);
        _replaceKey(oldKey, newKey, validUntil);
    }

    function registerProduct(bytes32 productKey, uint32 mah) external restricted returns (uint32 product) {
        if (productKey == 0) revert UnknownProduct(productKey);
        if (_products[productKey].product != 0) revert ProductExists(productKey);
        _requireMah(mah);
        product = ++_productCount;
        _products[productKey] = ProductByKey(product, mah);
        _productNumbers[product] = ProductByNumber(productKey, mah);
        emit ProductRegistered(product, productKey, mah);
    }

    function listGtin(bytes32 gtinHash, uint32 mah) external restricted {
        if (mah != 0) _requireMah(mah);
        _gtins[gtinHash] = mah;
        emit GtinListed(gtinHash, mah);
    }

    // ---- signed by a party ----

    function rotateKey(address oldKey, address newKey, Consent calldata starter, Consent calldata possession)
        external
    {
        bytes memory members = abi.encode(ROTATE_KEY, oldKey, newKey);
        _accept(members, starter);
        (, uint32 company,) = authority(oldKey, 0);
        if (starter.signer != oldKey) {
            (, uint32 managed,) = authority(starter.signer, Purposes.MANAGE);
            if (managed != company) revert KeyOfAnotherCompany(oldKey, managed);
        }
        _acceptPossession(members, newKey, possession);
        _replaceKey(oldKey, newKey, _keys[oldKey].validUntil);
    }

    // ---- signed by a MANAGE key of the marketing authorisation holder ----

    function authoriseLine(bytes32 productKey, uint32 party, uint40 until, Consent calldata consent) external {
        _accept(abi.encode(AUTHORISE_LINE, productKey, party, until), consent);
        uint32 product = _requireHolder(consent.signer, productKey);
        _requireParty(party);
        _lines[product][party] = until;
        emit LineAuthorised(product, party, until);
    }

    function authoriseQuality(bytes32 productKey, address key, uint40 until, Consent calldata consent) external {
        _accept(abi.encode(AUTHORISE_QUALITY, productKey, key, until), consent);
        uint32 product = _requireHolder(consent.signer, productKey);
        if (_keys[key].party == 0) revert UnknownKey(key);
        _qualityKeys[product][key] = until;
        emit QualityAuthorised(product, key, until);
    }

    // ---- read by the other contracts ----

    function authority(address key, uint8 purpose) public view returns (uint32 party, uint32 company, uint16 roles) {
        (party, company, roles,) = _authority(key, purpose);
    }

    function statusAuthority(address key)
        external
        view
        returns (uint32 party, uint32 company, uint16 roles, uint16 dailyCap)
    {
        KeyWord data;
        (party, company, roles, data) = _authority(key, Purposes.OPERATE);
        dailyCap = data.dailyCapOf();
    }

    function lineAuthority(address key, bytes32 productKey)
        external
        view
        returns (uint32 party, uint32 product, uint32 mah, uint24 number)
    {
        uint16 roles;
        KeyWord data;
        (party,, roles, data) = _authority(key, Purposes.LINE);
        number = data.numberOf();
        if (roles & Roles.MANUFACTURER == 0) revert LacksRole(party, Roles.MANUFACTURER);
        (product, mah) = _requireProduct(productKey);
        if (_lines[product][party] <= block.timestamp) revert LineNotAuthorised(product, party);
        _requireLicensedMah(mah);
    }

    function qualityAuthority(address key, uint32 product) external view returns (uint32 party, uint24 number) {
        KeyWord data;
        (party,,, data) = _authority(key, Purposes.QUALITY);
        number = data.numberOf();
        if (_qualityKeys[product][key] <= block.timestamp) revert QualityNotAuthorised(product, key);
        _requireLicensedMah(_productNumbers[product].mah);
    }

    // ---- read by anybody ----

    function partyOf(uint32 party) external view returns (Party memory) {
        return _parties[party];
    }

    function profileOf(uint32 party) external view returns (Profile memory) {
        return _profiles[party];
    }

    function keyOf(address key) external view returns (Key memory) {
        return _keys[key];
    }

    function numberedKey(uint24 number) external view returns (address key, uint40 compromisedSince) {
        key = _numberedKeys[number];
        compromisedSince = _keys[key].compromisedSince;
    }

    function isLicensed(uint32 party) external view returns (bool) {
        PartyWord data = partyWordOf(_parties[party]);
        if (!data.licensedAt(block.timestamp)) return false;
        uint32 company = data.companyOf();
        return company == party || partyWordOf(_parties[company]).licensedAt(block.timestamp);
    }

    function productOf(bytes32 productKey) external view returns (uint32 product, uint32 mah) {
        return (_products[productKey].product, _products[productKey].mah);
    }

    function productKeyOf(uint32 product) external view returns (bytes32 productKey, uint32 mah) {
        return (_productNumbers[product].productKey, _productNumbers[product].mah);
    }

    function mahOfGtin(bytes32 gtinHash) external view returns (uint32 mah) {
        return _gtins[gtinHash];
    }

    // ---- inside: keys ----

    function _authority(address key, uint8 purpose)
        private
        view
        returns (uint32 party, uint32 company, uint16 roles, KeyWord data)
    {
        data = keyWordOf(_keys[key]);
        party = data.partyOf();
        if (party == 0) revert UnknownKey(key);
        if (!data.validAt(block.timestamp)) revert KeyNotValid(key);
        if (!data.mayAll(purpose)) revert KeyLacksPurpose(key, purpose);
        PartyWord premises = _licensed(party);
        (company, roles) = (premises.companyOf(), premises.rolesOf());
        if (company != party) _licensed(company);
    }

    function _requireKey(address key) private view returns (Key storage data) {
        data = _keys[key];
        if (data.party == 0) revert UnknownKey(key);
    }

    function _addKey(address key, Key memory data) private {
        if (_keys[key].party != 0) revert KeyExists(key);
        if (data.validFrom >= data.validUntil) revert InvalidPeriod(data.validFrom, data.validUntil);
        if (data.purposes & (Purposes.LINE | Purposes.QUALITY) != 0) {
            data.number = ++_keyCount;
            _numberedKeys[data.number] = key;
        }
        _keys[key] = data;
        emit KeyAdded(data.party, key, data.purposes, data.validFrom, data.validUntil);
    }

    function _acceptPossession(bytes memory members, address newKey, Consent calldata possession) private {
        if (possession.signer != newKey) revert NotPossessed(newKey);
        _accept(members, possession);
    }

    function _replaceKey(address oldKey, address newKey, uint40 validUntil) private {
        uint40 time = uint40(block.timestamp);
        Key storage data = _keys[oldKey];
        data.revokedAt = time;
        emit KeyRevoked(data.party, oldKey, 0);
        _addKey(newKey, Key(data.party, data.purposes, time, validUntil, 0, 0, false, 0, data.dailyCap));
        emit KeyReplaced(data.party, oldKey, newKey);
    }

    // ---- inside: parties and products ----

    function _checkLicence(uint16 roles, uint40 licensedFrom, uint40 licensedUntil) private pure {
        if (roles > Roles.ALL) revert InvalidRoles(roles);
        if (licensedFrom >= licensedUntil) revert InvalidPeriod(licensedFrom, licensedUntil);
    }

    function _requireParty(uint32 party) private view returns (Party storage data) {
        data = _parties[party];
        if (data.company == 0) revert UnknownParty(party);
    }

    function _requireCompany(uint32 party) private view returns (Party storage data) {
        data = _requireParty(party);
        if (data.company != party) revert NotACompany(party);
    }

    function _requireMah(uint32 party) private view {
        if (_requireCompany(party).roles & Roles.MAH == 0) revert LacksRole(party, Roles.MAH);
    }

    /// @dev Marketing authorisation holders are companies.
    function _requireLicensedMah(uint32 company) private view {
        if (_licensed(company).rolesOf() & Roles.MAH == 0) revert LacksRole(company, Roles.MAH);
    }

    function _requireProduct(bytes32 productKey) private view returns (uint32 product, uint32 mah) {
        ProductByKey storage data = _products[productKey];
        (product, mah) = (data.product, data.mah);
        if (product == 0) revert UnknownProduct(productKey);
    }

    /// @return product the number of this product, whose marketing authorisation holder `key` manages
    function _requireHolder(address key, bytes32 productKey) private view returns (uint32 product) {
        (, uint32 company,) = authority(key, Purposes.MANAGE);
        uint32 mah;
        (product, mah) = _requireProduct(productKey);
        if (mah != company) revert NotHolderOfProduct(product, company);
    }

    /// @return data of a party whose own licence holds now
    function _licensed(uint32 party) private view returns (PartyWord data) {
        data = partyWordOf(_parties[party]);
        if (!data.licensedAt(block.timestamp)) revert NotLicensed(party);
    }
}
