import type { RenderedEvent } from '#libs/core';

/** Why there is nothing to POST (`Delivery.renderKind`). */
export type RenderKind = 'transformation' | 'version' | 'too-large';

/**
 * What an endpoint gets of an event:
 * - `rendered`: this request
 * - `failed`: a dead letter, in its order; `rendered` is what the transformation was given, for the day that it is mended
 * - `cancelled`: nothing, by its own transformation
 */
export type Form =
  | { readonly kind: 'rendered'; readonly rendered: RenderedEvent }
  | {
      readonly kind: 'failed';
      readonly renderKind: RenderKind;
      readonly detail: string;
      readonly rendered: RenderedEvent | null;
    }
  | { readonly kind: 'cancelled' };
