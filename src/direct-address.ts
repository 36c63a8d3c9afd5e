import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { get } from "node:http";
import { text } from "node:stream/consumers";
import type { SandboxAddress } from "./engine/engine.ts";
import { HEALTH_PATH } from "./protocol/agent-config.ts";
import { healthProof } from "./protocol/health-proof.ts";

/** A shorter way is on this machine, or is none. */
const ANSWER_MS = 300;

/**
 * Whether a sandbox's agent is reached at an address of its own. A published port is a detour: each byte goes through
 * a process of the engine's. Only an agent is believed that knows the hash of the token, so that nobody else is
 * ever shown the token itself.
 */
export async function isAgentAt({ host, port }: SandboxAddress, token: string, timeoutMs: number = ANSWER_MS): Promise<boolean> {
  const challenge = randomBytes(32).toString("hex");
  const answer = Buffer.from(await ask(host, port, `${HEALTH_PATH}?challenge=${challenge}`, timeoutMs), "hex");
  const expected = healthProof(createHash("sha256").update(token).digest(), challenge);
  return answer.length === expected.length && timingSafeEqual(answer, expected);
}

/** The body of what is answered; empty when there is no answer. */
function ask(host: string, port: number, path: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host, port, path, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      text(response).then(resolve, () => resolve(""));
    });
    request.on("error", () => resolve(""));
  });
}
