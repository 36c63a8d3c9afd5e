import type Docker from "dockerode";

/** The last lines of a container's log. Docker sends each piece behind a header of 8 bytes. */
export async function readLogs(container: Docker.Container, lines: number): Promise<string> {
  const bytes = await container.logs({ stdout: true, stderr: true, tail: lines, follow: false });
  const texts: string[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at + 4);
    texts.push(bytes.subarray(at + 8, at + 8 + length).toString());
    at += 8 + length;
  }
  return texts.join("").trimEnd();
}
