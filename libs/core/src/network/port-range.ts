/** Ports from `least` to `most`, both included. */
export interface PortRange {
  readonly text: string;
  readonly least: number;
  readonly most: number;
}

/** Reads `443` or `1024-65535`. */
export function parsePortRange(text: string): PortRange | null {
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  if (from === undefined) return null;
  const least = Number(from);
  const most = to === undefined ? least : Number(to);
  return least >= 1 && least <= most && most <= 65_535 ? { text, least, most } : null;
}
