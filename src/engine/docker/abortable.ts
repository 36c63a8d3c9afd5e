/** A request's part that ends it when the signal aborts. dockerode's types know it only here and there. */
export function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
