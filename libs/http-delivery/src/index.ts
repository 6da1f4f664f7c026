export { clientTlsFault, type ClientTls } from './client-tls.js';
export { credentialsOf, type EndpointCredentials, type TokenGrant } from './endpoint-credentials.js';
export type { HttpPost } from './http-post.js';
export { createHttpSender, type HttpSender, type HttpSenderOptions } from './http-sender.js';
