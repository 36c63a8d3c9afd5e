import { createHmac } from "node:crypto";

/**
 * What an agent answers to `GET /health?challenge=…` in hex: it shows that it knows the hash of the token, and tells
 * nothing of it.
 */
export function healthProof(tokenHash: Buffer, challenge: string): Buffer {
  return createHmac("sha256", tokenHash).update(`ipybox-health:${challenge}`).digest();
}
