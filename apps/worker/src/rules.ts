/**
 * Rules of DESIGN §3 that the simulation takes away one at a time, to show that it finds out (test/simulation). Nothing
 * else ever sets them: see DESIGN §3, "Why each rule is there".
 */
export type Rule =
  /** Void copies of former owners. */
  | 'fence'
  /** The level of fences below the committed position; without it, the present one is committed. */
  | 'fence-level'
  /** Epochs compare eras first, and a fence not below the own one is an alarm. */
  | 'eras'
  /** `deliveries` is read beyond a delivery's pos before it is sent. */
  | 'read-beyond-pos'
  /** What stands in retry topics is known before anything is sent. */
  | 'restore-retries'
  /** What `attempts` closed is known before anything is sent. */
  | 'fold-attempts'
  /** Every copy's stamp counts for `a`, and the restored one is inherited. */
  | 'stamps'
  /** Repeats are told by set and floor; without it, by a high-water mark. */
  | 'set-and-floor'
  /** Copies of a batch's members settle only when its own is acknowledged. */
  | 'batch-first';

export type Without = ReadonlySet<Rule>;
