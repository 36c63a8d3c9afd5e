import * as z from "zod";
import { HostCallError } from "./host-call-error.ts";
import type { Exposure } from "./host-function.ts";

/** What a kernel asks before it runs a shell command; no function can have that name. */
const NAME = "!";

const command = z.object({
  command: z.string(),
  /** What runs it, when it is the body of a `%%script` magic or of one of its kin. */
  interpreter: z.string().optional(),
});

/** Has a kernel ask before each shell command: who approves calls sees it, and may change it. */
export const SHELL_COMMANDS: Exposure = {
  functions: new Map([
    [
      NAME,
      {
        kind: "shell",
        label: "shell",
        parseInput: (input) => {
          const parsed = command.safeParse(input);
          if (parsed.success) return parsed.data;
          throw new HostCallError("invalid", 'a shell command must be { command: "…" }', "HostInputError");
        },
        parseOutput: (output) => output,
        run: (input) => (input as z.output<typeof command>).command,
      },
    ],
  ]),
  modules: {},
};
