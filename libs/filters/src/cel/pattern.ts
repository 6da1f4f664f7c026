import { RE2JS } from 're2js';
import type { Budget } from './budget.js';
import { celLimits } from './language.js';

/** The size is in instructions of RE2. */
export const patternLimits = { text: 200, size: celLimits.instructions } as const;

/** Characters that the automata of all patterns may have grown by before their memory is given back. */
const grownCharacters = 16_384;

/** Patterns with states in memory. Each may take megabytes, and there may be as many as there are endpoints. */
const grown = new Set<RE2JS>();
let characters = 0;

/** An RE2 pattern: the time that it takes is linear in the text, whatever it says. */
export class Pattern {
  readonly #regexp: RE2JS;
  /** Steps for each character. */
  readonly #cost: number;

  /** Instructions. */
  readonly size: number;

  private constructor(regexp: RE2JS) {
    this.#regexp = regexp;
    this.size = regexp.programSize();
    this.#cost = 6 + Math.ceil(this.size / 64);
  }

  /** @returns why the pattern is none, as a text */
  static parse(text: string): Pattern | string {
    if (text.length > patternLimits.text) return `At most ${patternLimits.text} characters of a pattern.`;
    // What is written out to tens of thousands of instructions takes a tenth of a second before its size is known.
    if (repeatsOf(text) > patternLimits.size) return tooLarge;
    let regexp: RE2JS;
    try {
      regexp = RE2JS.compile(text);
    } catch (error) {
      return error instanceof Error ? `Not a pattern of RE2: ${error.message}.` : 'Not a pattern of RE2.';
    }
    if (regexp.programSize() > patternLimits.size) return tooLarge;
    return new Pattern(regexp);
  }

  /** Whether it stands anywhere in the text. */
  isIn(text: string, budget: Budget): boolean {
    budget.spend((text.length + 1) * this.#cost);
    characters += text.length + 1;
    grown.add(this.#regexp);
    const found = this.#regexp.test(text);
    if (characters > grownCharacters) shrink();
    return found;
  }
}

const tooLarge = 'The pattern is too large: repeat less.';

/** Sum of what stands in braces. */
function repeatsOf(pattern: string): number {
  let sum = 0;
  for (const [, least = '', most = ''] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g))
    sum += Number(most === '' ? least : most);
  return sum;
}

function shrink(): void {
  for (const regexp of grown) regexp.reset();
  grown.clear();
  characters = 0;
}
