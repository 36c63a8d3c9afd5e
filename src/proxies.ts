const NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"];

/**
 * The proxy settings of this process in upper and lower case, as Docker passes them to builds and containers.
 * A proxy on this machine's loopback interface is left out: in a container that address is another machine.
 */
export function proxySettings(env: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const name of NAMES) {
    const value = env[name] ?? env[name.toLowerCase()];
    if (!value || (name !== "NO_PROXY" && isLoopback(value))) continue;
    settings[name] = value;
    settings[name.toLowerCase()] = value;
  }
  return settings;
}

function isLoopback(proxy: string): boolean {
  const url = proxy.includes("://") ? proxy : `http://${proxy}`;
  return URL.canParse(url) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
