import { z } from 'zod';
import { certificateBounds, customHeaderNameFault, customHeaderValueFault, type NetworkRules } from '#libs/core';
import { wellFormed } from '../http/list-query.js';
import { destination } from './destination.js';

/** What only Posthorn and the endpoint may know: no answer holds it. */
const secretText = (description: string, example: string, longest = 4_000) =>
  wellFormed(
    z
      .string()
      .min(1)
      .max(longest)
      .regex(/^[^\p{Cc}]*$/u, 'Must not hold control characters'),
  ).meta({ description, example, writeOnly: true });

const printable = (description: string, example: string) =>
  z
    .string()
    .min(1)
    .max(1_000)
    .regex(/^[\x20-\x7e]*$/, 'Must be printable ASCII')
    .meta({ description, example });

const bearer = z.literal('bearer');
const basic = z.literal('basic');
const ownHeader = z.literal('header');
const oauth2 = z.literal('oauth2');

const username = wellFormed(
  z
    .string()
    .max(1_000)
    .regex(/^[^:\p{Cc}]*$/u, 'Must hold neither a colon nor control characters (RFC 7617)'),
).meta({ description: 'Without a colon.', example: 'posthorn' });
const clientId = printable('Of the client that is registered for Posthorn.', 'posthorn');
const scope = z
  .string()
  .max(2_000)
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
    'Must be words with one space between (RFC 6749 §3.3)',
  )
  .nullable()
  .meta({ description: 'What the token is for; null: what the server grants by itself.', example: 'hooks:write' });
const audience = printable('Who the token is for, where the server asks for it.', 'https://example.com/').nullable();
const clientAuthentication = z.enum(['basic', 'body']).meta({
  description: 'Where the client’s name and secret stand: in the `Authorization` header, or in the body.',
  example: 'basic',
});

const byFault = (schema: z.ZodString, faultOf: (text: string) => string | null) =>
  schema.superRefine((text, context) => {
    const fault = faultOf(text);
    if (fault !== null) context.addIssue({ code: 'custom', message: `It ${fault}` });
  });

/** One way beside the signatures, with what is secret of it. */
export const authentication = (rules: NetworkRules) =>
  z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: bearer,
        token: z
          .string()
          .max(4_000)
          .regex(/^[\x21-\x7e]+$/, 'Must be printable ASCII without spaces')
          .meta({ description: 'Without `Bearer`.', example: 'mF_9.B5f-4.1JqM', writeOnly: true }),
      }),
      z.strictObject({ kind: basic, username, password: secretText('RFC 7617.', 'correct horse battery staple') }),
      z.strictObject({
        kind: ownHeader,
        name: byFault(z.string(), customHeaderNameFault)
          .transform((name) => name.toLowerCase())
          .meta({ description: 'One that Posthorn does not set itself.', example: 'x-api-key' }),
        value: byFault(z.string().min(1), customHeaderValueFault).meta({
          description: 'The whole of it.',
          example: 'c2VjcmV0LWtleQ',
          writeOnly: true,
        }),
      }),
      z.strictObject({
        kind: oauth2,
        tokenUrl: destination(rules).meta({
          description:
            'Where tokens are asked for: client credentials, RFC 6749 §4.4. The rules of endpoints hold for it.',
          example: 'https://auth.example.com/oauth2/token',
        }),
        clientId,
        clientSecret: secretText('Of the client.', '7Fjfp0ZBr1KtDRbnfVdmIw'),
        scope: scope.default(null),
        audience: audience.default(null),
        clientAuthentication: clientAuthentication.default('basic'),
      }),
    ])
    .meta({
      description: 'How Posthorn shows who it is, beside the signatures. What is secret of it is never answered.',
      example: { kind: 'bearer', token: 'mF_9.B5f-4.1JqM' },
    });

export type AuthenticationBody = z.output<ReturnType<typeof authentication>>;

const pem = (description: string) =>
  z
    .string()
    .max(certificateBounds.characters)
    .meta({ description, example: '-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n' });

export const clientCertificate = z
  .strictObject({
    certificate: pem('Its own first, then those between it and its root, PEM.'),
    privateKey: z.string().max(certificateBounds.characters).meta({
      description: 'Of the first certificate, PEM, without a passphrase.',
      example: '-----BEGIN PRIVATE KEY-----\nMIGH…\n-----END PRIVATE KEY-----\n',
      writeOnly: true,
    }),
  })
  .meta({ description: 'Shown to the endpoint in the TLS handshake, and to its token server.' });

export type ClientCertificateBody = z.output<typeof clientCertificate>;

export const caCertificates = pem(
  'Certificates to trust instead of the public authorities, PEM: of the endpoint, and of its token server.',
);

const setAt = z.iso.datetime().meta({ description: 'When it was given last.' });

const shownAuthentication = z.discriminatedUnion('kind', [
  z.object({ kind: bearer, setAt }),
  z.object({ kind: basic, username, setAt }),
  z.object({ kind: ownHeader, name: z.string().meta({ example: 'x-api-key' }), setAt }),
  z.object({ kind: oauth2, tokenUrl: z.string(), clientId, scope, audience, clientAuthentication, setAt }),
]);

const certificateFields = {
  subject: z.string().meta({ example: 'CN=posthorn' }),
  issuer: z.string().meta({ example: 'CN=Example CA' }),
  fingerprint: z.string().meta({ description: 'SHA-256.', example: 'AB:CD:…' }),
  notBefore: z.iso.datetime(),
  notAfter: z.iso.datetime().meta({ description: 'It ends then, and with it what depends on it.' }),
};

export const shownCredentials = {
  authentication: shownAuthentication
    .nullable()
    .meta({ description: 'Without what is secret of it. Null: signatures alone.' }),
  clientCertificate: z
    .object({ ...certificateFields, setAt })
    .nullable()
    .meta({ description: 'Without its key. Null: none.' }),
  caCertificates: z
    .array(z.object(certificateFields))
    .nullable()
    .meta({ description: 'Null: the public authorities.' }),
};

export type ShownCredentialsAnswer = z.output<z.ZodObject<typeof shownCredentials>>;
