import { readdirSync, writeSync } from "node:fs";
import { stat } from "node:fs/promises";
import { getPriority, setPriority } from "node:os";
import { AGENT_PORT, TOKEN_HASH_VARIABLE } from "../protocol/agent-config.ts";
import { createAgentServer } from "./server.ts";
import { Zygote } from "./zygote.ts";

/** Behind kernels, before what cells start. */
const HELPER_PRIORITY = -5;

const tokenHash = process.env[TOKEN_HASH_VARIABLE];
if (tokenHash === undefined) {
  console.error(`agent: ${TOKEN_HASH_VARIABLE} is not set; start this image with ipybox, or set it to a token's SHA-256`);
  process.exit(2);
}

makeWay();

// Node's file threads are all started with the first use: later, a fork bomb may have left no process for them.
void stat("/");

const server = createAgentServer(Buffer.from(tokenHash, "hex"), new Zygote());
// On `::` as well as 0.0.0.0: else a cell could listen on the same port of the other one.
server.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EAFNOSUPPORT" && error.code !== "EADDRNOTAVAIL") throw error;
  server.listen(AGENT_PORT, "0.0.0.0");
});
// Who has started the container waits for this line. `console` would have to be loaded for it.
server.on("listening", () => writeSync(1, `agent: takes connections on port ${AGENT_PORT}\n`));
server.listen(AGENT_PORT, "::");
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));

/** What V8 compiles beside must hold up neither a kernel nor a client; but the agent may wait for its threads, so cells come after them. */
function makeWay(): void {
  for (const thread of readdirSync("/proc/self/task").map(Number)) {
    const isHelper = thread !== process.pid;
    if (isHelper && getPriority(thread) < HELPER_PRIORITY) setPriority(thread, HELPER_PRIORITY);
  }
}
