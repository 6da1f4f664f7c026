export { HealthController } from './health.controller.js';
export { createLogger, type Logger } from './logger.js';
export { redactedText } from './redaction.js';
export { Metrics } from './metrics.js';
export { Readiness, type ReadinessCheck } from './readiness.js';
