/** Injection tokens of what every app shares. */
export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
export const KAFKA_LOG = Symbol('KafkaLog');
export const SCHEMA_CODEC = Symbol('SchemaCodec');
export const TOPICS = Symbol('Topics');
export const DATABASE = Symbol('Database');
