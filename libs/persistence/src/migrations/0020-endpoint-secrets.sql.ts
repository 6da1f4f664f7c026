/** Of an endpoint's secrets: what they sign as, since when, and of key pairs the part that everybody may know. */
export const endpointSecrets = /* sql */ `
ALTER TABLE endpoint_secrets
  ADD COLUMN kind        text NOT NULL DEFAULT 'hmac' CHECK (kind IN ('hmac', 'ed25519')),
  ADD COLUMN public_key  text,
  ADD COLUMN created_at  timestamptz(3),
  ADD CHECK ((kind = 'ed25519') = (public_key IS NOT NULL));

-- Until now a secret came with its endpoint.
UPDATE endpoint_secrets s SET created_at = e.created_at FROM endpoints e WHERE e.id = s.endpoint_id;
ALTER TABLE endpoint_secrets ALTER COLUMN created_at SET NOT NULL, ALTER COLUMN kind DROP DEFAULT;
`;
