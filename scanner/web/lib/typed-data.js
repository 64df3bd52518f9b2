/** EIP-712 typed data, from its encoded type as the contracts' interfaces document it. */

import { concat, fromHex, toBytes, utf8 } from "./bytes.js";
import { keccak256 } from "./keccak.js";

const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/**
 * What is signed: Keccak-256(0x1901 ‖ domain separator ‖ struct hash).
 * @param {{name: string, version: string, chainId: string, verifyingContract: string}} domain
 * @param {string} encodedType `Name(type name,…)`, then the structs that it uses
 * @param {Record<string, unknown>} message numbers as BigInt, number or decimal text, bytes and addresses as 0x…
 */
export function typedDataDigest(domain, encodedType, message) {
  return keccak256(concat(fromHex("1901"), structHash(DOMAIN, domain), structHash(encodedType, message)));
}

/** @param {string} encodedType @param {Record<string, unknown>} message */
export function structHash(encodedType, message) {
  const structs = structsOf(encodedType);
  return hashOf([...structs.keys()][0], message, structs);
}

/** @returns {Map<string, {encoded: string, members: {type: string, name: string}[]}>} the primary type first */
function structsOf(encodedType) {
  const structs = new Map();
  for (const [encoded, name, members] of encodedType.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const named = members.split(",").map((member) => member.split(" "));
    structs.set(name, { encoded, members: named.map(([type, member]) => ({ type, name: member })) });
  }
  return structs;
}

function hashOf(name, message, structs) {
  const words = structs.get(name).members.map((member) => wordOf(member.type, message[member.name], structs));
  return keccak256(concat(keccak256(utf8(encodedTypeOf(name, structs))), ...words));
}

/** The struct's own members, then those of the structs that it uses, in the order of their names. */
function encodedTypeOf(name, structs) {
  const used = new Set();
  const visit = (struct) => {
    for (const { type } of structs.get(struct).members) {
      const inner = type.replace("[]", "");
      if (structs.has(inner) && !used.has(inner)) visit(inner, used.add(inner));
    }
  };
  visit(name);
  used.delete(name);
  return [name, ...[...used].sort()].map((struct) => structs.get(struct).encoded).join("");
}

/** @param {string} type @param {any} value @returns {Uint8Array} 32 bytes */
function wordOf(type, value, structs) {
  if (type.endsWith("[]")) {
    return keccak256(concat(...value.map((element) => wordOf(type.slice(0, -2), element, structs))));
  }
  if (structs.has(type)) return hashOf(type, value, structs);
  if (type === "string") return keccak256(utf8(value));
  if (type === "bytes") return keccak256(fromHex(value));
  if (type === "bool") return toBytes(value === true ? 1 : 0, 32);
  if (type === "address") return concat(new Uint8Array(12), exactly(20, fromHex(value)));
  if (type === "bytes32") return exactly(32, fromHex(value));
  const bits = /^uint(\d+)$/.exec(type)?.[1];
  if (!bits) throw new TypeError(`typed data with ${type} is not known here`);
  return concat(new Uint8Array(32 - bits / 8), toBytes(value, bits / 8));
}

function exactly(length, bytes) {
  if (bytes.length !== length) throw new TypeError(`${bytes.length} bytes where there must be ${length}`);
  return bytes;
}
