/** Of the callbacks that handshakes offer, on the api: what follows is as good as a key. */
export const callbackPath = 'verifications';
