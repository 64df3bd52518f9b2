/**
 * RFC 9162 Merkle trees over SHA-256 (docs/proofs.md): leaf 0x00 ‖ data, node 0x01 ‖ left ‖ right. A tree is handled level
 * by level; a last node without a neighbour moves up unchanged.
 */

import { EvidenceError } from "./errors.js";
import { sha256 } from "./hashing.js";

const RULE = "RFC 9162 multiproof";
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const HASH_BYTES = 32;
const MAX_SIZE = 2 ** 32; // as in the Python library: bounds every loop before a size is compared with the chain

/** @param {...Uint8Array} data */
export function leafHash(...data) {
  return sha256(LEAF, ...data);
}

/** @param {Uint8Array} left @param {Uint8Array} right */
function nodeHash(left, right) {
  return sha256(NODE, left, right);
}

/** Root over leaf hashes; SHA-256("") for none. @param {Uint8Array[]} leafHashes */
export async function root(leafHashes) {
  if (leafHashes.length === 0) return sha256();
  let nodes = leafHashes;
  while (nodes.length > 1) {
    const above = [];
    for (let i = 0; i < nodes.length; i += 2) {
      above.push(i + 1 < nodes.length ? nodeHash(nodes[i], nodes[i + 1]) : nodes[i]);
    }
    nodes = await Promise.all(above);
  }
  return nodes[0];
}

/**
 * Root of the tree of `size` leaves in which these leaf hashes stand at `indices`.
 * @param {number} size comes from a signed header or the chain, never from the proof
 * @param {number[]} indices sorted, unique
 * @param {Uint8Array[]} leaves
 * @param {Uint8Array[]} nodes those that cannot be computed, lowest level first, each level from left to right
 * @throws {EvidenceError} for any other list of indices or nodes than the one that there is
 */
export async function rootFromMultiproof(size, indices, leaves, nodes) {
  checkIndices(size, indices);
  if (leaves.length !== indices.length) refuse("the proof shows a different number of leaves and indices");
  if ([...leaves, ...nodes].some((node) => node.length !== HASH_BYTES)) refuse("a node has 32 bytes");
  let known = indices.map((index, i) => [index, leaves[i]]);
  let used = 0;
  for (let width = size; width > 1; width = Math.ceil(width / 2)) {
    const above = [];
    for (let i = 0; i < known.length; i++) {
      const [index, node] = known[i];
      let joined = node;
      if (index % 2) {
        joined = nodeHash(take(), node);
      } else if (known[i + 1]?.[0] === index + 1) {
        joined = nodeHash(node, known[++i][1]);
      } else if (index + 1 < width) {
        joined = nodeHash(node, take());
      }
      above.push([Math.floor(index / 2), joined]);
    }
    known = await Promise.all(above.map(async ([index, node]) => [index, await node]));
  }
  if (used !== nodes.length) refuse("the proof has a node that is not needed");
  return known[0][1];

  function take() {
    if (used === nodes.length) refuse("the proof has a node too few");
    return nodes[used++];
  }
}

/** The same of one leaf: `path` is its inclusion path (section 2.1.3), lowest node first. */
export function rootFromPath(size, index, leaf, path) {
  return rootFromMultiproof(size, [index], [leaf], path);
}

/** @param {number} size @param {number[]} indices */
function checkIndices(size, indices) {
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) refuse("a tree has 1 to 2^32 leaves here");
  if (indices.length === 0) refuse("the proof shows no leaf");
  indices.forEach((index, i) => {
    const sound = Number.isInteger(index) && index >= 0 && index < size && (i === 0 || index > indices[i - 1]);
    if (!sound) refuse(`leaf indices must be sorted, unique and below ${size}`);
  });
}

/** @param {string} message @returns {never} */
function refuse(message) {
  throw new EvidenceError(message, RULE);
}
