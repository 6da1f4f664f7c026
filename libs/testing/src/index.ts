export { fillLongLog, longLog, type LongLog } from './long-log.js';
export {
  RecordingReceiver,
  type AnswerProgram,
  type ReceivedRequest,
  type ReceiverAnswer,
} from './recording-receiver.js';
export { aDeadLetter, aDelivery, anAttempt, anEndpointConfig, sampleTime } from './sample-records.js';
export { testAuthority, type Issued, type TestAuthority } from './test-authority.js';
export { createTestDatabase, type TestDatabase } from './test-database.js';
export { isVerification, verificationAnswer } from './verification-answer.js';
export { uniquePrefix } from './unique-prefix.js';
