/** Confluent wire format: byte 0 is 0x00, bytes 1-4 the schema id (big-endian), the rest is Avro binary. */
export const frameBytes = 5;

/** Schema id of a framed record; null when it is not framed. */
export function schemaIdOf(bytes: Buffer): number | null {
  return bytes.length >= frameBytes && bytes[0] === 0 ? bytes.readUInt32BE(1) : null;
}

export function writeFrame(target: Buffer, schemaId: number): void {
  target[0] = 0;
  target.writeUInt32BE(schemaId, 1);
}
