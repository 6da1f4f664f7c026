import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Reads `add <pid> <signal>` and `drop <pid>`. When its standard input ends, the process that started it is gone,
 * however it died: it ends what is still on its list, first politely, after 2 s with SIGKILL.
 */
const SCRIPT = `
list=""
while read -r word pid signal; do
  if [ "$word" = add ]; then list="$list $pid:$signal"
  else
    rest=""
    for entry in $list; do [ "\${entry%%:*}" = "$pid" ] || rest="$rest $entry"; done
    list="$rest"
  fi
done
for entry in $list; do kill -s "\${entry#*:}" "\${entry%%:*}"; done
[ -z "$list" ] || sleep 2
for entry in $list; do kill -s KILL "\${entry%%:*}"; done
`;

/** One small shell that outlives us, so that no child of ours does. */
class Guardian {
  readonly #shell: ChildProcess;
  readonly #watched = new Set<number>();

  constructor() {
    // A session of its own: a terminal's Ctrl-C must not end it before it is needed.
    this.#shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#shell.unref();
    // EPIPE when someone has killed the shell: nothing to be done, and no reason to fall over.
    this.#shell.on('error', () => undefined);
    this.#shell.stdin?.on('error', () => undefined);
    const { stdin } = this.#shell;
    if (stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  }

  add(pid: number, signal: string): void {
    this.#watched.add(pid);
    this.#shell.stdin?.write(`add ${pid} ${signal}\n`);
  }

  /** Forgets a process that has ended (its id may be given to another one). True when none is left. */
  drop(pid: number): boolean {
    this.#watched.delete(pid);
    this.#shell.stdin?.write(`drop ${pid}\n`);
    return this.#watched.size === 0;
  }

  end(): void {
    this.#shell.stdin?.end();
  }
}

let guardian: Guardian | undefined;

/** From now on the process does not outlive ours by more than some 2 s; `signal` (without SIG) asks it to end. */
export function guard(pid: number, signal: string): void {
  guardian ??= new Guardian();
  guardian.add(pid, signal);
}

/** To be called when a guarded process has ended. */
export function unguard(pid: number): void {
  if (guardian?.drop(pid) !== true) return;
  guardian.end();
  guardian = undefined;
}
