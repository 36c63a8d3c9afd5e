import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
// #region import
import { type DeniedEvent, ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

// #region usage
const denied: DeniedEvent[] = [];
await using container = await ExecutionContainer.create({
  network: { allow: ["pypi.org", "files.pythonhosted.org", "10.1.2.3:5432"] },
  onDenied: (event) => denied.push(event),
});
await using client = await ExecutionClient.connect({ port: container.port });

const { text } = await client.execute(`
import urllib.request

try:
    urllib.request.urlopen("https://example.com/")
except OSError as error:
    print(error.reason)
`);
console.log(text); // Tunnel connection failed: 403 ipybox: example.com:443 is not on the allow-list
// #endregion

assert.equal(text, "Tunnel connection failed: 403 ipybox: example.com:443 is not on the allow-list");
for (const deadline = Date.now() + 5_000; denied.length === 0 && Date.now() < deadline;) await delay(10);
assert.deepEqual(denied, [
  {
    host: "example.com",
    port: 443,
    protocol: "proxy",
    rule: "allow",
    reason: "example.com:443 is not on the allow-list",
    count: 1,
  },
]);

// #region change
await container.setNetwork("none");
// #endregion

const { text: refused } = await client.execute(`
import socket

try:
    socket.create_connection(("10.1.2.3", 5432), timeout=5)
except OSError as error:
    print(type(error).__name__)
`);
assert.equal(refused, "ConnectionRefusedError");
