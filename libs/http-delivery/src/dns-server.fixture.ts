import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { parseIpAddress } from '#libs/core';

/** What a name leads to: addresses of either family, in order; after a CNAME, those of the other name. Null: no answer. */
export interface Zone {
  readonly addresses: readonly string[];
  readonly cname?: string;
}

export interface DnsServer {
  /** `127.0.0.1:port`, for setServers. */
  readonly address: string;
  /** Names asked for, one per question: A and AAAA are two. */
  readonly questions: string[];
  readonly close: () => Promise<void>;
}

const types = { A: 1, CNAME: 5, AAAA: 28 } as const;
const noSuchName = 3;

/**
 * A name server of the test's own (RFC 1035 §4), on UDP on loopback.
 * @param answer null: there is no such name; undefined: it stays silent. `round` counts the questions for this name and type
 */
export async function startDnsServer(
  answer: (name: string, round: number) => Zone | null | undefined,
): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const questions: string[] = [];
  const rounds = new Map<string, number>();
  socket.on('message', (message: Buffer, { address, port }: RemoteInfo) => {
    const { name, end } = nameIn(message, 12);
    const type = message.readUInt16BE(end);
    const round = rounds.get(`${name} ${type}`) ?? 0;
    rounds.set(`${name} ${type}`, round + 1);
    questions.push(name);
    const zone = answer(name, round);
    if (zone !== undefined) socket.send(reply(message, end + 4, name, type, zone), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function reply(question: Buffer, questionEnd: number, name: string, type: number, zone: Zone | null): Buffer {
  const records: Buffer[] = [];
  if (zone?.cname !== undefined) records.push(record(name, types.CNAME, encodedName(zone.cname)));
  const owner = zone?.cname ?? name;
  for (const text of zone?.addresses ?? []) {
    const address = parseIpAddress(text);
    if (address === null) throw new RangeError(`${text} is no address`);
    const { family, bits } = address;
    const isAsked = type === (family === 4 ? types.A : types.AAAA);
    const data = Buffer.from(bits.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
    if (isAsked) records.push(record(owner, type, data));
  }
  const header = Buffer.alloc(12);
  question.copy(header, 0, 0, 2);
  // A response, recursion wanted and had.
  header.writeUInt16BE(0x8180 | (zone === null ? noSuchName : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question.subarray(12, questionEnd), ...records]);
}

function record(owner: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  // Not to be remembered.
  fixed.writeUInt32BE(0, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodedName(owner), fixed, data]);
}

const encodedName = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.alloc(1),
  ]);

function nameIn(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
