// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Consent} from "./Types.sol";

/// @title Who is who: which keys speak for which premises of which company, in which role, for which products, when.
/// @notice A party is one premises (the unit of authority) and belongs to a company, itself a party. Party numbers are
/// below 2^22, because batch, unit and logistic-unit numbers are namespaced by them. The licensing authority writes
/// parties, licences, keys and products (through OpenZeppelin's AccessManager); a company's own MANAGE keys authorise
/// its lines and qualified persons, and replace its keys.
/// @dev Authority is always judged at the time of the call (block.timestamp), never at a time that a caller claims.
interface IPartyRegistry {
    /// @param company        the company's own party number (equal to the party itself for a company)
    /// @param roles          bits of `ROLE_*`
    /// @param licensedFrom   unix time; the party can act from here …
    /// @param licensedUntil  … to here (exclusive)
    /// @param suspendedSince unix time, 0 when not suspended
    struct Party {
        uint32 company;
        uint16 roles;
        uint40 licensedFrom;
        uint40 licensedUntil;
        uint40 suspendedSince;
    }

    /// @param name          public name; empty for a dispenser, whose identity is not public
    /// @param endpoint      base URL of the party's gateway; empty where there is none
    /// @param glnCommitment SHA-256("packtrace/gln/v1" ‖ 16-byte salt ‖ GLN of 13 digits)
    struct Profile {
        string name;
        string endpoint;
        bytes32 glnCommitment;
    }

    /// @notice One slot.
    /// @param purposes         bits of `PURPOSE_*`
    /// @param revokedAt        unix time of revocation, 0 when not revoked
    /// @param compromisedSince unix time since when a leaked key is not to be believed, 0 when not known: what it anchored
    /// before stays good, what it anchored at this time or later does not
    /// @param suspended        until it is reinstated
    /// @param number           0, or the number of a key that may sign for batches (LINE, QUALITY): a batch keeps this in
    /// 24 bits where an address would need a slot of its own
    /// @param dailyCap         units whose status the key can ask to change in one UTC day, at most; 0 for no such cap
    struct Key {
        uint32 party;
        uint8 purposes;
        uint40 validFrom;
        uint40 validUntil;
        uint40 revokedAt;
        uint40 compromisedSince;
        bool suspended;
        uint24 number;
        uint16 dailyCap;
    }

    event PartyRegistered(uint32 indexed party, uint32 indexed company, uint16 roles, bytes32 glnCommitment);
    event ProfileChanged(uint32 indexed party, string name, string endpoint);
    event LicenceChanged(uint32 indexed party, uint16 roles, uint40 licensedFrom, uint40 licensedUntil);
    event Suspended(uint32 indexed party);
    event Reinstated(uint32 indexed party);
    event KeyAdded(uint32 indexed party, address indexed key, uint8 purposes, uint40 validFrom, uint40 validUntil);
    event KeyRevoked(uint32 indexed party, address indexed key, uint40 compromisedSince);
    /// @notice After the KeyRevoked and KeyAdded of the two keys.
    event KeyReplaced(uint32 indexed party, address indexed oldKey, address indexed newKey);
    event KeySuspended(uint32 indexed party, address indexed key);
    event KeyReinstated(uint32 indexed party, address indexed key);
    event DailyCapChanged(uint32 indexed party, address indexed key, uint16 dailyCap);
    event ProductRegistered(uint32 indexed product, bytes32 indexed productKey, uint32 indexed mah);
    event GtinListed(bytes32 indexed gtinHash, uint32 indexed mah);
    event LineAuthorised(uint32 indexed product, uint32 indexed party, uint40 until);
    event QualityAuthorised(uint32 indexed product, address indexed key, uint40 until);

    error PartyNumberTooLarge(uint32 party);
    error PartyExists(uint32 party);
    error UnknownParty(uint32 party);
    error NotACompany(uint32 party);
    error KeyExists(address key);
    error UnknownKey(address key);
    error KeyNotValid(address key);
    error KeyLacksPurpose(address key, uint8 purpose);
    error KeyOfAnotherCompany(address key, uint32 company);
    /// @notice Who replaces a key shows that the new key is his: the second consent is not the new key's.
    error NotPossessed(address newKey);
    error NotLicensed(uint32 party);
    error ProductExists(bytes32 productKey);
    error UnknownProduct(bytes32 productKey);
    error NotHolderOfProduct(uint32 product, uint32 company);
    error LineNotAuthorised(uint32 product, uint32 party);
    error QualityNotAuthorised(uint32 product, address key);
    error InvalidPeriod(uint40 from, uint40 until);
    error InvalidRoles(uint16 roles);
    error InvalidPurposes(uint8 purposes);
    error LacksRole(uint32 party, uint16 role);

    /// @notice Roles, as bits. A party may hold several.
    function ROLE_REGULATOR() external view returns (uint16); // 1
    function ROLE_MAH() external view returns (uint16); // 2
    function ROLE_MANUFACTURER() external view returns (uint16); // 4: premises with packaging lines
    function ROLE_WHOLESALER() external view returns (uint16); // 8
    function ROLE_DISPENSER() external view returns (uint16); // 16
    function ROLE_SUPPLYING_WHOLESALER() external view returns (uint16); // 32: Delegated Regulation 2016/161, Art. 23

    /// @notice What a key may sign, as bits.
    function PURPOSE_OPERATE() external view returns (uint8); // 1: event log, status, custody, exchange
    function PURPOSE_LINE() external view returns (uint8); // 2: propose batches
    function PURPOSE_QUALITY() external view returns (uint8); // 4: release batches, recall
    function PURPOSE_MANAGE() external view returns (uint8); // 8: authorise lines and quality keys, replace keys

    // ---- written by the licensing authority (AccessManager) ----

    /// @notice Register a premises, or a company when `data.company == party`. Numbers are chosen by the authority; 0 is
    /// nobody's. `data.suspendedSince` is not read: a party starts unsuspended.
    function registerParty(uint32 party, Party calldata data, Profile calldata profile) external;
    function setProfile(uint32 party, string calldata name, string calldata endpoint) external;
    function setLicence(uint32 party, uint16 roles, uint40 licensedFrom, uint40 licensedUntil) external;
    function suspend(uint32 party) external;
    function reinstate(uint32 party) external;
    /// @notice A party's first key, and others. That it holds the key is the authority's to see, as who it is.
    function addKey(uint32 party, address key, uint8 purposes, uint40 validFrom, uint40 validUntil) external;
    /// @notice Revoke a key for good, from now on; an address is never used for a second key. A later call can still say
    /// since when the key is not to be believed, but not take that back.
    /// @param compromisedSince 0 for an ordinary end of use, else not in the future
    function revokeKey(address key, uint40 compromisedSince) external;
    /// @notice Stop one key, from now until `reinstateKey`; what is revoked stays revoked.
    function suspendKey(address key) external;
    function reinstateKey(address key) external;
    /// @notice Bound the damage that a key can do before somebody sees it: a call beyond the cap reverts.
    function setDailyCap(address key, uint16 dailyCap) external;
    /// @notice Put a new key in the place of one that is not revoked, be it suspended, expired or lost. The new one has the
    /// old one's purposes and cap, from now on; the old one is revoked. It is no QUALITY key of any product until the
    /// marketing authorisation holder, who authorised the old one by name, authorises it too.
    /// @dev typed data, signed by the new key: ReplaceKey(address oldKey,address newKey,uint40 validUntil,address signer,uint256 nonce,uint48 deadline)
    function replaceKey(address oldKey, address newKey, uint40 validUntil, Consent calldata possession) external;
    /// @notice Register a product under its keyed hash HMAC-SHA-256(product secret, "packtrace/product/v1" ‖ GTIN-14).
    /// @param mah a company with ROLE_MAH
    /// @return product a small number, used in packed storage
    function registerProduct(bytes32 productKey, uint32 mah) external returns (uint32 product);
    /// @notice Make the marketing authorisation holder of a GTIN findable, under SHA-256("packtrace/gtin/v1" ‖ GTIN-14).
    /// Kept apart from `registerProduct`, so that a batch on chain does not name its GTIN.
    /// @param mah a company with ROLE_MAH, 0 to take the GTIN off the list
    function listGtin(bytes32 gtinHash, uint32 mah) external;

    // ---- signed by a party ----

    /// @notice The same by the party itself: by the old key, or by a MANAGE key of its company. The old key must be valid,
    /// so that nobody rotates himself out of a suspension, and the new one has its end: a rotation makes nothing longer.
    /// @dev typed data, signed by both: RotateKey(address oldKey,address newKey,address signer,uint256 nonce,uint48 deadline), each with its own nonce
    /// @param starter    consent of `oldKey`, or of the MANAGE key
    /// @param possession consent of `newKey`: nobody registers an address that he does not hold
    function rotateKey(address oldKey, address newKey, Consent calldata starter, Consent calldata possession) external;

    // ---- signed by a MANAGE key of the marketing authorisation holder ----

    /// @dev typed data: AuthoriseLine(bytes32 productKey,uint32 party,uint40 until,address signer,uint256 nonce,uint48 deadline)
    /// @param until unix time; 0 withdraws the authorisation
    function authoriseLine(bytes32 productKey, uint32 party, uint40 until, Consent calldata consent) external;
    /// @dev typed data: AuthoriseQuality(bytes32 productKey,address key,uint40 until,address signer,uint256 nonce,uint48 deadline)
    function authoriseQuality(bytes32 productKey, address key, uint40 until, Consent calldata consent) external;

    // ---- read by the other contracts; each reverts with the reason when there is no such authority now ----

    /// @return party   the premises that `key` speaks for
    /// @return company its company
    /// @return roles   its roles (a premises' roles are its own)
    function authority(address key, uint8 purpose) external view returns (uint32 party, uint32 company, uint16 roles);
    /// @notice The same for an OPERATE key that is to change statuses, with its `Key.dailyCap`.
    function statusAuthority(address key)
        external
        view
        returns (uint32 party, uint32 company, uint16 roles, uint16 dailyCap);
    /// @notice The same for a LINE key that is to propose a batch of a product: a premises with ROLE_MANUFACTURER that
    /// the marketing authorisation holder, itself licensed and with ROLE_MAH, has authorised.
    function lineAuthority(address key, bytes32 productKey)
        external
        view
        returns (uint32 party, uint32 product, uint32 mah, uint24 number);
    /// @notice Reverts unless `key` is a QUALITY key authorised for the product, whose marketing authorisation holder is
    /// licensed and has ROLE_MAH.
    function qualityAuthority(address key, uint32 product) external view returns (uint32 party, uint24 number);

    // ---- read by anybody ----

    function partyOf(uint32 party) external view returns (Party memory);
    function profileOf(uint32 party) external view returns (Profile memory);
    function keyOf(address key) external view returns (Key memory);
    /// @notice The LINE or QUALITY key of this number (`Key.number`), and since when it is not to be believed.
    /// @return key 0 where there is none
    function numberedKey(uint24 number) external view returns (address key, uint40 compromisedSince);
    /// @notice True while the party and its company are licensed and not suspended.
    function isLicensed(uint32 party) external view returns (bool);
    function productOf(bytes32 productKey) external view returns (uint32 product, uint32 mah);
    function productKeyOf(uint32 product) external view returns (bytes32 productKey, uint32 mah);
    /// @return mah 0 when nobody listed that GTIN
    function mahOfGtin(bytes32 gtinHash) external view returns (uint32 mah);
}
