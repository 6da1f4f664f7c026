export type { Runtime, RuntimeAddresses, RuntimeOptions, TestCluster, TestClusterOptions } from './ports.js';
export { checkPrerequisites } from './prerequisites.js';
export { startRuntime } from './start-runtime.js';
export { startTestCluster } from './test-cluster.js';
