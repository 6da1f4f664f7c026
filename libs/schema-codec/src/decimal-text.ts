/** Avro decimals (two's complement, big-endian) as text: `12.50`, always with `scale` digits after the point. */

/** Value of big-endian two's complement bytes. */
export function unscaledOf(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n;
  const value = BigInt(`0x${bytes.toString('hex')}`);
  return BigInt.asIntN(bytes.length * 8, value);
}

/** Shortest two's complement bytes of a value, or exactly `size` bytes; null if it does not fit. */
export function bytesOf(unscaled: bigint, size?: number): Buffer | null {
  let length = size ?? 1;
  const fits = (): boolean => BigInt.asIntN(length * 8, unscaled) === unscaled;
  if (size === undefined) while (!fits()) length += 1;
  else if (!fits()) return null;
  const hex = BigInt.asUintN(length * 8, unscaled).toString(16);
  return Buffer.from(hex.padStart(length * 2, '0'), 'hex');
}

export function decimalText(unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return negative ? `-${text}` : text;
}

/** `malformed`: not a decimal number. `out-of-range`: more digits than precision and scale allow. */
export type ParsedDecimal = bigint | 'malformed' | 'out-of-range';

export function parseDecimal(text: string, precision: number, scale: number): ParsedDecimal {
  // The bound keeps a text of many digits from costing quadratic time.
  if (text.length > precision + 1_000) return /^-?[\d.]+$/.test(text) ? 'out-of-range' : 'malformed';
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (parts === null) return 'malformed';
  const fraction = (parts[3] ?? '').replace(/0+$/, '');
  if (fraction.length > scale) return 'out-of-range';
  const unscaled = BigInt(`${parts[2] ?? '0'}${fraction.padEnd(scale, '0')}`);
  if (unscaled.toString().length > precision) return 'out-of-range';
  return parts[1] === '-' ? -unscaled : unscaled;
}
