export { DatabaseModule } from './database.module.js';
export { firstPositions, type FirstPositions } from './first-positions.js';
export { kafkaLog, PlatformModule, registryOf, topicsOf, type Topics } from './platform.module.js';
export {
  exitOnBug,
  httpAdapter,
  onStopSignal,
  reportStartFailure,
  runApp,
  startApp,
  type AppDefinition,
  type RunningApp,
} from './run-app.js';
export { senderOptionsOf } from './sender-options.js';
export { CONFIG, DATABASE, KAFKA_LOG, LOGGER, SCHEMA_CODEC, TOPICS } from './tokens.js';
