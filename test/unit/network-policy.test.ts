import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExecutionContainer, IpyboxError } from "ipybox";
import { readNetwork } from "../../src/cli/network-flag.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { formatAddress, parseAddress } from "../../src/network/address.ts";
import { EntryError, formatEntry, parseEntry } from "../../src/network/entry.ts";
import { canonicalName, parseAuthority } from "../../src/network/host.ts";
import { Judge } from "../../src/network/judge.ts";
import { canonicalPolicy, type NetworkPolicy, readPolicy } from "../../src/network/policy.ts";
import { networkRules } from "../../src/network/rules.ts";
import { networkScript } from "../../src/network/script.ts";
import { checkPolicy } from "../../src/sandbox-spec.ts";
import { verifies } from "../requirements.ts";

const judge = (policy: NetworkPolicy): Judge => new Judge(readPolicy(policy));
const isAllowed = (one: Judge, authority: string): boolean => {
  const { host, port } = parseAuthority(authority, 443) as NonNullable<ReturnType<typeof parseAuthority>>;
  return one.asked(host, port).allowed;
};

describe("an entry", () => {
  test.each([
    ["example.com", "example.com"],
    ["EXAMPLE.com.", "example.com"],
    ["example.com:443", "example.com:443"],
    ["*.Example.COM", "*.example.com"],
    ["*.example.com:8080", "*.example.com:8080"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["localhost.example", "localhost.example"],
    ["db", "db"],
    ["10.1.2.3", "10.1.2.3"],
    ["10.1.2.3/32:5432", "10.1.2.3:5432"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["10.0.0.0/8:80", "10.0.0.0/8:80"],
    ["2001:DB8::1", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["[2001:db8:0::1]:443", "[2001:db8::1/128]:443"],
    ["2001:db8::/32", "2001:db8::/32"],
    ["[2001:db8::/32]:443", "[2001:db8::/32]:443"],
    ["[2001:db8::]/32:443", "[2001:db8::/32]:443"],
  ])("%s is %s", (text, canonical) => {
    verifies("NET-05");
    const formatted = formatEntry(parseEntry(text));
    expect(formatted.replace("/128]", "]")).toBe(canonical.replace("/128]", "]"));
    expect(parseEntry(formatted)).toEqual(parseEntry(text));
  });

  test.each([
    ["", "is empty"],
    [" example.com", "has a space"],
    ["example.com\n", "control character"],
    ["example\0.com", "control character"],
    ["*", "is every name"],
    ["*:443", "is every name"],
    ["*.", "is no name"],
    ["*.*.example.com", "has a *"],
    ["foo*.example.com", "has a *"],
    ["a.*.com", "has a *"],
    ["https://example.com", "is a URL"],
    ["example.com/path", "has a path"],
    ["user@example.com", "has an @"],
    ["example.com:", "no port"],
    ["example.com:0", "no port"],
    ["example.com:65536", "no port"],
    ["example.com:080", "no port"],
    ["example.com:http", "no port"],
    ["example..com", "no name"],
    ["-a.example", "no name"],
    [`${"a".repeat(64)}.example`, "no name"],
    ["2130706433", "usual spelling"],
    ["0x7f.0.0.1", "usual spelling"],
    ["0177.0.0.1", "usual spelling"],
    ["10.1", "usual spelling"],
    ["10.0.0.256", "usual spelling"],
    ["10.0.0.1/33", "prefix length over 32"],
    ["10.0.0.1/8", "begins at 10.0.0.0/8"],
    ["10.0.0.0/08", "no number behind its /"],
    ["10.0.0.0/", "no number behind its /"],
    ["0.0.0.0/0", "is every address"],
    ["::/0", "is every address"],
    ["0.0.0.0", "no address to connect to"],
    ["127.0.0.1", "loopback"],
    ["127.0.0.0/8", "loopback"],
    ["[::1]:80", "loopback"],
    ["::ffff:10.0.0.1", "IPv4 in the spelling of IPv6"],
    ["[10.0.0.1]:80", "no IPv6 address in its brackets"],
    ["[example.com]", "no IPv6 address in its brackets"],
    ["fe80::1%eth0", "has a %"],
    ["[2001:db8::/32]/32", "two prefix lengths"],
  ])("%j is refused: it %s", (text, reason) => {
    verifies("NET-03", "NET-05");
    expect(() => parseEntry(text)).toThrow(EntryError);
    expect(() => parseEntry(text)).toThrow(reason);
    expect(() => parseEntry(text)).toThrow("Allowed are names");
  });
});

describe("the option network", () => {
  test.each([
    [{ allow: ["example.com", "exa mple.com"] }, "network.allow.1", '"exa mple.com"'],
    [{ allow: "example.com" }, "network.allow", "an array of strings"],
    [{ allow: [5] }, "network.allow.0", "must be a string"],
    [{ allow: [""] }, "network.allow.0", "is empty"],
    [{}, "network.allow", "an array of strings"],
    [{ allow: [], deny: [] }, "network", "{ allow: […] }"],
    ["intranet", "network", '"internet", "public", "none" or { allow: […] }'],
    [null, "network", '"internet", "public", "none" or { allow: […] }'],
    [5, "network", '"internet", "public", "none" or { allow: […] }'],
  ])("%j is an error that names it", (network, field, text) => {
    verifies("NET-03", "SEC-05");
    let error: unknown;
    try {
      new ExecutionContainer({ network: network as never });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(IpyboxError);
    expect((error as IpyboxError).code).toBe("invalid_option");
    expect((error as IpyboxError).message).toContain(`"${field}"`);
    expect((error as IpyboxError).message).toContain(text);
  });

  test("is read from the command line", () => {
    verifies("NET-01", "NET-03", "CLI-01");
    expect(readNetwork("none")).toBe("none");
    expect(readNetwork("allow:")).toEqual({ allow: [] });
    expect(readNetwork("allow:example.com,*.example.org:443")).toEqual({ allow: ["example.com", "*.example.org:443"] });
    expect(() => readNetwork("allow:example.com,")).toThrow(UsageError);
    expect(() => readNetwork("allow:exa mple.com")).toThrow('"exa mple.com"');
    expect(() => readNetwork("example.com")).toThrow('Did you mean "allow:example.com"?');
  });
});

test("a runtime with a network stack of its own takes no policy, because none would hold", () => {
  verifies("NET-02", "SEC-08");
  for (const runtime of ["runsc", "kata-runtime", "io.containerd.kata.v2"]) {
    expect(() => checkPolicy("none", runtime)).toThrow(runtime);
    expect(() => checkPolicy({ allow: [] }, runtime)).toThrow("network");
    expect(() => checkPolicy("internet", runtime)).not.toThrow();
  }
  expect(() => checkPolicy("none", "runc")).not.toThrow();
  expect(() => checkPolicy("none", undefined)).not.toThrow();
});

describe("names", () => {
  const list = judge({ allow: ["example.com", "*.example.org", "port.example:8080", "*.port.example:8443"] });
  test.each([
    ["example.com", true],
    ["EXAMPLE.COM.", true],
    ["example.com:1", true],
    ["www.example.com", false],
    ["notexample.com", false],
    ["example.com.evil.example", false],
    ["example.org", false],
    ["a.example.org", true],
    ["a.b.example.org", true],
    ["evilexample.org", false],
    ["port.example:8080", true],
    ["port.example:8081", false],
    ["a.port.example:8443", true],
    ["a.port.example:8080", false],
    ["10.0.0.1", false],
    ["localhost", false],
  ])("%s is allowed: %s", (authority, allowed) => {
    verifies("NET-05");
    expect(isAllowed(list, authority)).toBe(allowed);
  });

  test("nothing is allowed by an empty list, nor by none", () => {
    verifies("NET-03");
    for (const policy of [{ allow: [] }, "none"] as const) {
      expect(isAllowed(judge(policy), "example.com")).toBe(false);
      expect(isAllowed(judge(policy), "8.8.8.8")).toBe(false);
    }
  });
});

describe("addresses", () => {
  test.each([
    ...["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254", "0.0.0.0"],
    ...[
      "127.0.0.1",
      "127.1.2.3",
      "168.63.129.16",
      "192.0.0.192",
      "198.19.255.255",
      "203.0.113.9",
      "224.0.0.1",
      "255.255.255.255",
    ],
    ...["::", "::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2001::1"],
    ...["2001:db8::1", "2002:a00:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "5f00::1"],
  ])("%s is not public", (text) => {
    verifies("NET-06");
    const address = parseAddress(text) as NonNullable<ReturnType<typeof parseAddress>>;
    expect(judge("public").address(address, 80).allowed).toBe(false);
    expect(judge("public").resolved("example.com", address, 80).allowed).toBe(false);
    expect(judge({ allow: ["example.com"] }).resolved("example.com", address, 80).allowed).toBe(false);
  });

  test.each([
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "169.253.1.1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700::1111",
    "2a00::1",
  ])("%s is public", (text) => {
    verifies("NET-06");
    const address = parseAddress(text) as NonNullable<ReturnType<typeof parseAddress>>;
    expect(judge("public").address(address, 80).allowed).toBe(true);
  });

  test("a name may resolve to an address that is not public if that is listed, at its port", () => {
    verifies("NET-06");
    const list = judge({ allow: ["example.com", "10.0.0.0/24:443"] });
    const resolved = (text: string, port: number): boolean =>
      list.resolved("example.com", parseAddress(text) as never, port).allowed;
    expect(resolved("10.0.0.7", 443)).toBe(true);
    expect(resolved("10.0.0.7", 80)).toBe(false);
    expect(resolved("10.0.1.7", 443)).toBe(false);
    expect(resolved("::ffff:10.0.0.7", 443)).toBe(true);
  });
});

test("a list of 4,096 entries is right for each of 100,000 questions", () => {
  verifies("NET-05");
  const allow = Array.from({ length: 4096 }, (_, index) =>
    index % 4 === 0 ? `10.${index >> 8}.${index & 255}.0/24` : `${index % 2 === 0 ? "*." : ""}h${index}.example.com`,
  );
  const list = judge({ allow });
  let allowed = 0;
  for (let question = 0; question < 100_000; question += 1) {
    const index = question % 8192;
    const authority =
      index % 4 === 0 ? `10.${index >> 8}.${index & 255}.9` : `${index % 2 === 0 ? "x." : ""}h${index}.example.com`;
    const expected = index < 4096;
    if (isAllowed(list, authority) !== expected) throw new Error(`${authority} is not ${expected}`);
    if (expected) allowed += 1;
  }
  expect(allowed).toBeGreaterThan(49_000);
});

test("the rules of a policy, by name", () => {
  verifies("NET-01", "SEC-06");
  const ids = (policy: NetworkPolicy): readonly string[] => [
    ...new Set(networkRules(readPolicy(policy), { agentPort: 1, resolverPort: 2 }).map(({ id }) => id)),
  ];
  const shared = [
    "cells-by-uid",
    "agent",
    "agent-without-socket",
    "rest-as-cells",
    "docker-dns",
    "loopback",
    "neighbours",
    "source-routes",
  ];
  expect(ids("none")).toEqual(expect.arrayContaining([...shared, "cells-denied", "tell", "refuse-tcp", "agent-port"]));
  expect(ids("none")).not.toContain("listed");
  expect(ids("public")).toEqual(
    expect.arrayContaining([...shared, "resolve-through-agent", "special-ranges", "public", "input-answers"]),
  );
  expect(ids({ allow: ["10.0.0.1"] })).toEqual(expect.arrayContaining([...shared, "listed", "input-answers"]));
  const { rules } = networkScript(readPolicy("none"), "7f", { agentPort: 1, resolverPort: 2 });
  expect(rules).toContain("oif lo accept # loopback");
  expect(rules.filter((line) => line.includes("policy drop; # "))).toHaveLength(2);
  const { sets, rules: listed } = networkScript(readPolicy({ allow: ["10.0.0.1", "[fd00::]/8:5432"] }), "7f", {
    agentPort: 1,
    resolverPort: 2,
  });
  expect(sets).toContain("set listed6_5432_7f { type ipv6_addr; flags interval; auto-merge; elements = { fd00::/8 }; }");
  expect(listed).toContain("meta l4proto { tcp, udp } th dport 5432 ip6 daddr @listed6_5432_7f accept # listed");
});

describe("whatever it is given,", () => {
  const RUNS = { numRuns: 10_000 };
  const tricky = fc.string({
    unit: fc.oneof(
      fc.constantFrom(
        ..."*.:/[]@%-_0127abfx".split(""),
        "::",
        "0x",
        "10.",
        "255",
        "com",
        "é",
        "\0",
        " ",
        "\u3002",
        "xn--",
        "ffff:",
      ),
      fc.string({ maxLength: 2 }),
    ),
    maxLength: 24,
  });
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  const likely = fc
    .tuple(
      fc.constantFrom("", "*.", "["),
      address,
      fc.constantFrom("", "]", "/8", "/32", ".", "/128]"),
      fc.constantFrom("", ":80", ":0", ":99999"),
    )
    .map((parts) => parts.join(""));

  test("an entry has one form or is refused as it should be", () => {
    verifies("NET-03", "NET-05", "LIFE-05");
    fc.assert(
      fc.property(fc.oneof(tricky, likely), (text) => {
        try {
          const entry = parseEntry(text);
          const formatted = formatEntry(entry);
          expect(parseEntry(formatted)).toEqual(entry);
          expect(formatEntry(parseEntry(formatted))).toBe(formatted);
          // What goes into the rules' script can't be anything but an address.
          if (entry.kind === "range") expect(formatted).toMatch(/^[0-9a-f.:/[\]]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(EntryError);
        }
      }),
      RUNS,
    );
  });

  test("a name that is taken for one is no address in any spelling that a resolver knows", () => {
    verifies("NET-05", "LIFE-05");
    fc.assert(
      fc.property(tricky, (text) => {
        const name = canonicalName(text);
        if (name === undefined) return;
        expect(canonicalName(name)).toBe(name);
        // Browsers' own parser refuses some of them.
        if (!URL.canParse(`http://${name}/`)) return;
        expect(new URL(`http://${name}/`).hostname).not.toMatch(/^[\d.]+$/);
      }),
      RUNS,
    );
  });

  test("an address that is read is the same in its one form", () => {
    verifies("NET-05", "LIFE-05");
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const parsed = parseAddress(text);
        if (parsed === undefined) return;
        expect(parseAddress(formatAddress(parsed))).toEqual(parsed);
        if (parsed.family === 6) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${formatAddress(parsed)}]`);
      }),
      RUNS,
    );
  });

  test("a policy in its one form is the same policy", () => {
    verifies("NET-03", "LIFE-05");
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.domain(), fc.ipV4()), { maxLength: 5 }), (allow) => {
        try {
          const policy = readPolicy({ allow });
          expect(readPolicy(canonicalPolicy(policy))).toEqual(policy);
        } catch (error) {
          expect(error).toBeInstanceOf(EntryError);
        }
      }),
      RUNS,
    );
  });
});
