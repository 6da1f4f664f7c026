import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { testAuthority, type Issued } from '#libs/testing';

export interface SeenRequest {
  readonly path: string;
  /** Common name of the client's certificate. */
  readonly client: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * An HTTPS server on 127.0.0.1 with a certificate that only its own authority vouches for, which takes nobody without a client
 * certificate of that authority. `POST /token` gives out a bearer token for each asking; everything else is a receiver, which
 * sends back the credentials that it was sent.
 */
export class SecuredReceiver {
  readonly requests: SeenRequest[] = [];
  /** In the order in which they were given out. */
  readonly tokens: string[] = [];

  private constructor(
    private readonly server: Server,
    /** PEM. */
    readonly ca: string,
    readonly clients: readonly [Issued, Issued],
  ) {}

  static async start(): Promise<SecuredReceiver> {
    const authority = await testAuthority('Receiver CA');
    const own = await authority.issue('receiver', ['127.0.0.1']);
    const clients = [await authority.issue('client-one'), await authority.issue('client-two')] as const;
    const server = createServer({ ...own, ca: authority.ca, requestCert: true, rejectUnauthorized: true });
    const receiver = new SecuredReceiver(server, authority.ca, clients);
    server.on('request', (request, response) => {
      const socket = request.socket as TLSSocket;
      const { url: path = '', headers } = request;
      const client = String(socket.getPeerCertificate().subject.CN);
      receiver.requests.push({ path, client, headers });
      request.resume().on('end', () => {
        if (path !== '/token') {
          response.end(JSON.stringify(headers));
          return;
        }
        const token = randomBytes(24).toString('base64url');
        receiver.tokens.push(token);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3_600 }));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  at(path: string): SeenRequest[] {
    return this.requests.filter((one) => one.path === path);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
