// The only place where the simulation reaches into the apps: the real worker and the real dispatcher, at their constructors.
export { Dispatcher } from '../../apps/dispatcher/src/dispatcher.js';
export type { CursorChange, CursorStore } from '../../apps/dispatcher/src/cursors/cursor-store.js';
export type { ReplayStore } from '../../apps/dispatcher/src/replays/replay-store.js';
export type { CursorRule } from '../../apps/dispatcher/src/cursors/freezing.js';
export { noFaults, plainContents } from '../../apps/dispatcher/test/contents.js';
export { InMemoryReplays } from '../../apps/dispatcher/test/in-memory-replays.js';
export { InMemoryCursors } from '../../apps/dispatcher/test/in-memory-cursors.js';
export { DeliverConsumer, type ConsumerOptions, type ConsumerPorts } from '../../apps/worker/src/deliver.consumer.js';
export type { Rule } from '../../apps/worker/src/rules.js';
