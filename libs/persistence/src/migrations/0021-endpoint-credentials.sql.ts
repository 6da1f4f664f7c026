/**
 * Of an endpoint's authentication, its client certificate and its CA: what workers are told (sealed, or PEM that is no
 * secret), and beside it what people may see of it.
 */
export const endpointCredentials = /* sql */ `
ALTER TABLE endpoints
  ADD COLUMN sealed_authentication      text,
  ADD COLUMN authentication             jsonb,
  ADD COLUMN sealed_client_certificate  text,
  ADD COLUMN client_certificate         jsonb,
  ADD COLUMN ca_pem                     text,
  ADD COLUMN ca_certificates            jsonb,
  ADD CHECK ((sealed_authentication IS NULL) = (authentication IS NULL)),
  ADD CHECK ((sealed_client_certificate IS NULL) = (client_certificate IS NULL)),
  ADD CHECK ((ca_pem IS NULL) = (ca_certificates IS NULL));
`;
