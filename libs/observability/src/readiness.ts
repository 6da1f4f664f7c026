/** One thing that must be in order before this process counts as ready. `check` throws with the reason when it is not. */
export interface ReadinessCheck {
  readonly name: string;
  check(): Promise<void> | void;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** Collects the checks of all modules of a process. */
export class Readiness {
  readonly #checks: ReadinessCheck[] = [];

  add(check: ReadinessCheck): void {
    this.#checks.push(check);
  }

  /** Runs all checks at once, each for at most `timeoutMs`. */
  async report(timeoutMs = 2_000): Promise<ReadinessReport> {
    const results = await Promise.all(
      this.#checks.map(async (one): Promise<[string, string]> => {
        try {
          await within(Promise.resolve(one.check()), timeoutMs);
          return [one.name, 'ok'];
        } catch (error) {
          return [one.name, error instanceof Error ? error.message : String(error)];
        }
      }),
    );
    return { ready: results.every(([, state]) => state === 'ok'), checks: Object.fromEntries(results) };
  }
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
