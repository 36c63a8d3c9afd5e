import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { IpyboxError } from "../errors.ts";

/** 256 random bits. */
const TOKEN_BYTES = 32;
/** What is shorter can be guessed. */
const MIN_CHARACTERS = 32;
/** Characters of a bearer token, as RFC 6750 has them. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const MAX_FILE_BYTES = 65_536;

/** The tokens in a file, one a line. */
export interface TokenFile {
  readonly tokens: readonly string[];
  /** Whether the file is new, with one random token. */
  readonly isNew: boolean;
}

/**
 * Reads the tokens that clients may have. A file that is missing is made, with one random token, for this user alone.
 *
 * @throws IpyboxError `invalid_option` when others can read the file, or when it holds something else.
 */
export async function readTokenFile(path: string): Promise<TokenFile> {
  try {
    return { tokens: [await create(path)], isNew: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unusable(path, (error as Error).message, error);
  }
  return { tokens: parse(path, await read(path)), isNew: false };
}

async function create(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "wx", 0o600);
  try {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    await file.writeFile(`${token}\n`);
    return token;
  } finally {
    await file.close();
  }
}

async function read(path: string): Promise<string> {
  // What is judged is what is read. A pipe would wait for its writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: Error) => {
    throw unusable(path, error.message, error);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw unusable(path, "it is no regular file");
    if (stats.size > MAX_FILE_BYTES) throw unusable(path, `it has more than ${MAX_FILE_BYTES} bytes`);
    const uid = process.getuid?.();
    if (uid !== undefined && stats.uid !== uid && stats.uid !== 0) throw unusable(path, "it belongs to another user");
    if (uid !== undefined && (stats.mode & 0o077) !== 0) {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
      throw unusable(path, `others can read or write it (mode ${mode}); make it 0600`);
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** The text itself is never told. */
function parse(path: string, text: string): readonly string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const tokens = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (tokens.length === 0) throw unusable(path, "it holds no token");
  for (const token of tokens) {
    if (token.length < MIN_CHARACTERS || !TOKEN.test(token)) {
      const number = lines.indexOf(token) + 1;
      throw unusable(
        path,
        `line ${number} is no token of ${MIN_CHARACTERS} characters or more, of A-Z a-z 0-9 . _ ~ + / - and = at its end`,
      );
    }
  }
  return tokens;
}

function unusable(path: string, reason: string, cause?: unknown): IpyboxError {
  const text = `The token file ${JSON.stringify(path)} can't be used: ${reason}.`;
  return new IpyboxError("invalid_option", text, { details: { field: "tokenFile", path }, cause });
}
