import { afterAll, expect, it } from "vitest";
import { ExecutionContainer, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { type Outcomes, PROBE_ENV, runProbes } from "./containment/probes.ts";
import { docker, inspect, ownContainers, removeImages } from "./docker.ts";
import { rejection } from "./sandbox.ts";

const VOLUME_IMAGE = "ipybox-test/volume";

afterAll(() => removeImages(VOLUME_IMAGE));

async function probeWith(options: object, ids: readonly string[]): Promise<Outcomes> {
  await using container = await ExecutionContainer.create({ ...options, env: PROBE_ENV });
  return await runProbes(container, ["syscalls", "sockets", "privilege"], ids);
}

it("dangerouslyAllowSyscalls lets those calls through and no other", async () => {
  verifies("SEC-05");
  const seen = await probeWith({ dangerouslyAllowSyscalls: ["ptrace"] }, ["tracing", "io-uring", "vsock", "no-new-privileges"]);
  expect(seen).toMatchObject({ "io-uring": null, vsock: null, "no-new-privileges": null });
  expect(seen.tracing).toContain("ptrace");
});

it("dangerouslyDisableSeccomp takes the filter away, and only that", async () => {
  verifies("SEC-05");
  const seen = await probeWith({ dangerouslyDisableSeccomp: true }, ["seccomp", "io-uring", "capabilities", "no-new-privileges"]);
  expect(seen).toMatchObject({ capabilities: null, "no-new-privileges": null });
  expect([seen.seccomp, seen["io-uring"]]).toEqual([expect.any(String), expect.any(String)]);
});

it("a bind of the host's own system leaves nothing behind", async () => {
  verifies("SEC-05");
  const error = await rejection(ExecutionContainer.create({ binds: { "/": "host" } }), IpyboxError);
  expect(error).toMatchObject({ code: "invalid_option", details: { field: "binds" } });
  expect(await ownContainers()).toEqual([]);
});

it("an image can't say who runs, what runs, or where: that is ipybox's", async () => {
  verifies("SEC-01", "SEC-05");
  const plain = await docker.createContainer({ Image: "gradion-ai/ipybox", Entrypoint: ["/bin/true"] });
  try {
    const changes = ["USER 1234", 'ENTRYPOINT ["/bin/false"]', 'CMD ["x"]', "WORKDIR /proc/self/fd/8"];
    await docker.getContainer(plain.id).commit({ repo: VOLUME_IMAGE, tag: "latest", changes: changes.join("\n") });
  } finally {
    await plain.remove({ force: true });
  }
  await using container = await ExecutionContainer.create({ tag: VOLUME_IMAGE });
  const facts = await inspect(container.id);
  expect(facts?.Config).toMatchObject({ User: "0:0", WorkingDir: "/app", Cmd: [] });
});

it("an image with a volume is refused, since that lies outside of the container's disk", async () => {
  verifies("SEC-03", "SEC-05");
  const plain = await docker.createContainer({ Image: "gradion-ai/ipybox", Entrypoint: ["/bin/true"] });
  try {
    await docker.getContainer(plain.id).commit({ repo: VOLUME_IMAGE, tag: "latest", changes: 'VOLUME ["/etc"]' });
  } finally {
    await plain.remove({ force: true });
  }
  const error = await rejection(ExecutionContainer.create({ tag: VOLUME_IMAGE }), IpyboxError);
  expect(error.message).toMatch(/ipybox-test\/volume.*\/etc.*VOLUME/);
  expect(await ownContainers()).toEqual([]);
});
