/** Says what is being done, one line at a time. */
export type Report = (line: string) => void;

/** What keeps a command from doing its work, in words for the operator; no stack is shown. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}
