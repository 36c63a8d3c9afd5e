import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { type Address, parseAddress } from "../../network/address.ts";
import { canonicalName } from "../../network/host.ts";

const TIMEOUT_MS = 2_500;
const TRIES = 2;

/** All addresses of a name in its one form: those of the sandbox's hosts file, else what its resolvers answer. */
export async function resolveName(name: string): Promise<readonly Address[]> {
  const own = await fromHostsFile(name);
  if (own.length > 0) return own;
  // Anew each time: it reads which resolvers there are. It adds no domains to the name, and asks with a time limit.
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const texts = [four, six].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const addresses = texts.map(parseAddress).filter((address) => address !== undefined);
  if (addresses.length === 0 && four.status === "rejected") throw four.reason as Error;
  return addresses;
}

async function fromHostsFile(name: string): Promise<readonly Address[]> {
  const text = await readFile("/etc/hosts", "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (!names.some((one) => canonicalName(one) === name)) return [];
    const parsed = parseAddress(address);
    return parsed === undefined ? [] : [parsed];
  });
}
