/** CRC-32C (Castagnoli), four bytes at a step: the checksum of a record batch. */
export function crc32c(bytes: Buffer, from = 0): number {
  let crc = -1;
  let at = from;
  const fast = bytes.length - 3;
  while (at < fast) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (table3[crc & 0xff] as number) ^
      (table2[(crc >>> 8) & 0xff] as number) ^
      (table1[(crc >>> 16) & 0xff] as number) ^
      (table0[crc >>> 24] as number);
    at += 4;
  }
  for (; at < bytes.length; at++) crc = (table0[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

const table0 = new Int32Array(256);
const table1 = new Int32Array(256);
const table2 = new Int32Array(256);
const table3 = new Int32Array(256);
for (let index = 0; index < 256; index++) {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1;
  table0[index] = value;
}
for (let index = 0; index < 256; index++) {
  const next = (value: number): number => (table0[value & 0xff] as number) ^ (value >>> 8);
  table1[index] = next(table0[index] as number);
  table2[index] = next(table1[index] as number);
  table3[index] = next(table2[index] as number);
}
