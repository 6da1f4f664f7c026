export { documentSettings } from './document.js';
export { effectiveSettings, type EffectiveSetting } from './effective-settings.js';
export { childEnvironment, ConfigError, loadConfig, parseConfig, type Config } from './load-config.js';
export { projectRoot } from './project-root.js';
export { newMasterKeys, newOperatorKey } from './settings.js';
