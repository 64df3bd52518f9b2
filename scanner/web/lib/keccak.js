/** Keccak-256 as Ethereum has it (the padding of before FIPS 202), which Web Crypto does not know. */

const RATE = 136;
const MASK = (1n << 64n) - 1n;
const { constants: ROUND_CONSTANTS, rotations: ROTATIONS } = parameters();

/** @param {Uint8Array} data @returns {Uint8Array} 32 bytes */
export function keccak256(data) {
  const padded = new Uint8Array((Math.floor(data.length / RATE) + 1) * RATE);
  padded.set(data);
  padded[data.length] |= 0x01;
  padded[padded.length - 1] |= 0x80;
  const words = new DataView(padded.buffer);
  const state = Array(25).fill(0n);
  for (let block = 0; block < padded.length; block += RATE) {
    for (let lane = 0; lane < RATE / 8; lane++) state[lane] ^= words.getBigUint64(block + 8 * lane, true);
    permute(state);
  }
  const digest = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane++) digest.setBigUint64(8 * lane, state[lane], true);
  return new Uint8Array(digest.buffer);
}

/** Keccak-f[1600] (FIPS 202, section 3.2); lane (x, y) is state[x + 5·y]. @param {bigint[]} state */
function permute(state) {
  for (const constant of ROUND_CONSTANTS) {
    const columns = [0, 1, 2, 3, 4].map((x) => state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]);
    const moved = Array(25);
    for (let lane = 0; lane < 25; lane++) {
      const x = lane % 5;
      const y = (lane - x) / 5;
      const mixed = state[lane] ^ columns[(x + 4) % 5] ^ rotated(columns[(x + 1) % 5], 1n); // θ
      moved[y + 5 * ((2 * x + 3 * y) % 5)] = rotated(mixed, ROTATIONS[lane]); // ρ, π
    }
    for (let lane = 0; lane < 25; lane++) {
      const row = lane - (lane % 5);
      state[lane] = moved[lane] ^ (~moved[row + ((lane + 1) % 5)] & MASK & moved[row + ((lane + 2) % 5)]); // χ
    }
    state[0] ^= constant; // ι
  }
}

/** @param {bigint} lane @param {bigint} by */
function rotated(lane, by) {
  return ((lane << by) | (lane >> (64n - by))) & MASK;
}

/** The rotations of ρ and the constants of ι, by their definitions (sections 3.2.2 and 3.2.5). */
function parameters() {
  const rotations = Array(25).fill(0n);
  for (let t = 0, x = 1, y = 0; t < 24; t++) {
    rotations[x + 5 * y] = BigInt((((t + 1) * (t + 2)) / 2) % 64);
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  const constants = [];
  let register = 1;
  for (let round = 0; round < 24; round++) {
    let constant = 0n;
    for (let j = 0; j < 7; j++) {
      if (register & 1) constant |= 1n << BigInt(2 ** j - 1);
      register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
    }
    constants.push(constant);
  }
  return { constants, rotations };
}
