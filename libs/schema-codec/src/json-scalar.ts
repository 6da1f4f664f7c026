import type { JsonValue } from '#libs/core';
import type { AvroNode, Logical } from './avro-node.js';
import type { AvroSink } from './avro-sink.js';
import { bytesOf, parseDecimal } from './decimal-text.js';
import { parseDate, parseTime, parseTimestamp, parseTimestampMicros } from './temporal-text.js';

/** Writes a JSON value as Avro, or notes what is wrong with it. */
export type Write = (json: JsonValue, out: AvroSink) => void;

type Scalar = Exclude<AvroNode, { kind: 'record' | 'array' | 'map' | 'union' }>;

/** Writer of everything that holds no other values. */
export function compileScalar(node: Scalar): Write {
  switch (node.kind) {
    case 'null':
      return (json, out) => {
        if (json !== null) out.fault('wrong-type', 'must be null');
      };
    case 'boolean':
      return (json, out) => {
        if (typeof json === 'boolean') out.byte(json ? 1 : 0);
        else out.fault('wrong-type', 'must be true or false');
      };
    case 'int':
      return compileInt(node.logical);
    case 'long':
      return compileLong(node.logical);
    case 'float':
    case 'double':
      return compileReal(node.kind);
    case 'string':
      return node.logical?.name === 'uuid' ? writeUuid : writeString;
    case 'bytes':
      return node.logical?.name === 'decimal' ? compileDecimal(node.logical) : writeBytes;
    case 'fixed':
      return node.logical?.name === 'decimal' ? compileDecimal(node.logical, node.size) : compileFixed(node.size);
    case 'enum':
      return compileEnum(node.symbols);
  }
}

const writeString: Write = (json, out) => {
  if (typeof json !== 'string') out.fault('wrong-type', 'must be a string');
  else if (!json.isWellFormed()) out.fault('invalid-format', 'holds half a surrogate pair');
  else out.text(json);
};

const writeUuid: Write = (json, out) => {
  if (typeof json !== 'string') out.fault('wrong-type', 'must be a string (UUID)');
  else if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(json))
    out.fault('invalid-format', 'must be a UUID');
  else out.text(json);
};

const writeBytes: Write = (json, out) => {
  const bytes = fromBase64(json, out);
  if (bytes === null) return;
  out.integer(bytes.length);
  out.raw(bytes);
};

function compileFixed(size: number): Write {
  return (json, out) => {
    const bytes = fromBase64(json, out);
    if (bytes === null) return;
    if (bytes.length === size) out.raw(bytes);
    else out.fault('out-of-range', `must be ${size} bytes, is ${bytes.length}`);
  };
}

function fromBase64(json: JsonValue, out: AvroSink): Buffer | null {
  if (typeof json !== 'string') out.fault('wrong-type', 'must be a string (base64)');
  else if (json.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(json)) out.fault('invalid-format', 'must be base64');
  else return Buffer.from(json, 'base64');
  return null;
}

function compileDecimal({ precision, scale }: Extract<Logical, { name: 'decimal' }>, size?: number): Write {
  const range = `must have at most ${precision} digits, ${scale} of them after the point`;
  return (json, out) => {
    const unscaled = typeof json === 'string' ? parseDecimal(json, precision, scale) : null;
    if (unscaled === null) out.fault('wrong-type', 'must be a string (decimal number)');
    else if (unscaled === 'malformed') out.fault('invalid-format', 'must be a decimal number, such as "12.50"');
    else if (unscaled === 'out-of-range') out.fault('out-of-range', range);
    else {
      const bytes = bytesOf(unscaled, size);
      if (bytes === null) {
        out.fault('out-of-range', range);
        return;
      }
      if (size === undefined) out.integer(bytes.length);
      out.raw(bytes);
    }
  };
}

function compileEnum(symbols: readonly string[]): Write {
  const indexes = new Map(symbols.map((symbol, index) => [symbol, index]));
  return (json, out) => {
    const index = typeof json === 'string' ? indexes.get(json) : undefined;
    if (index !== undefined) out.integer(index);
    else if (typeof json !== 'string') out.fault('wrong-type', 'must be a string');
    else out.fault('invalid-symbol', `must be one of: ${symbols.join(', ')}`);
  };
}

function compileInt(logical: Logical | null): Write {
  if (logical?.name === 'date') return compileTemporal(parseDate, 'a date, such as "2026-03-01"', true);
  if (logical?.name === 'time-millis') {
    const parse = (text: string): number | null => {
      const micros = parseTime(text);
      return micros === null ? null : Math.floor(micros / 1_000);
    };
    return compileTemporal(parse, 'a time of day, such as "12:00:00.000"', true);
  }
  return (json, out) => {
    if (typeof json !== 'number' || !Number.isInteger(json)) out.fault('wrong-type', 'must be an integer');
    else if (!isInt32(json)) out.fault('out-of-range', 'must be a 32-bit integer');
    else out.integer(json);
  };
}

const minLong = -(2n ** 63n);
const maxLong = 2n ** 63n - 1n;

function compileLong(logical: Logical | null): Write {
  switch (logical?.name) {
    case 'timestamp-millis':
      return compileTemporal(parseTimestamp, dateTime, false);
    case 'timestamp-micros':
      return compileTemporal(parseTimestampMicros, dateTime, false);
    case 'local-timestamp-millis':
      return compileTemporal((text) => parseTimestamp(`${text}Z`), localDateTime, false);
    case 'local-timestamp-micros':
      return compileTemporal((text) => parseTimestampMicros(`${text}Z`), localDateTime, false);
    case 'time-micros':
      return compileTemporal(parseTime, 'a time of day, such as "12:00:00.000000"', false);
    default:
      return writeLong;
  }
}

const dateTime = 'an RFC 3339 date-time, such as "2026-03-01T12:00:00.000Z"';
const localDateTime = 'a date-time without offset, such as "2026-03-01T12:00:00.000"';

const writeLong: Write = (json, out) => {
  if (typeof json === 'number') {
    if (!Number.isInteger(json)) out.fault('wrong-type', 'must be an integer');
    else if (!Number.isSafeInteger(json)) out.fault('out-of-range', 'beyond 2^53 it must be given as a string');
    else out.integer(json);
    return;
  }
  if (typeof json !== 'string' || !/^-?\d{16,19}$/.test(json)) {
    out.fault('wrong-type', 'must be an integer');
    return;
  }
  const value = BigInt(json);
  if (value < minLong || value > maxLong) out.fault('out-of-range', 'must be a 64-bit integer');
  else if (Number.isSafeInteger(Number(value)))
    out.fault('wrong-type', 'must be an integer (a string only beyond 2^53)');
  else out.integer(value);
};

function compileTemporal(parse: (text: string) => number | bigint | null, form: string, int32: boolean): Write {
  return (json, out) => {
    if (typeof json !== 'string') {
      out.fault('wrong-type', `must be a string: ${form}`);
      return;
    }
    const value = parse(json);
    if (value === null) out.fault('invalid-format', `must be ${form}`);
    else if (int32 ? !isInt32(Number(value)) : BigInt(value) < minLong || BigInt(value) > maxLong)
      out.fault('out-of-range', 'lies too far away');
    else out.integer(value);
  };
}

const maxFloat = 3.402_823_466_385_288_6e38;
const notFinite = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function compileReal(kind: 'float' | 'double'): Write {
  return (json, out) => {
    const value = typeof json === 'string' ? notFinite.get(json) : json;
    if (typeof value !== 'number') out.fault('wrong-type', 'must be a number');
    else if (kind === 'double') out.double(value);
    else if (Number.isFinite(value) && Math.abs(value) > maxFloat) out.fault('out-of-range', 'must be a 32-bit float');
    else out.float(value);
  };
}

const isInt32 = (value: number): boolean => (value | 0) === value;
