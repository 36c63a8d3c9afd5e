import { UsageError } from "../usage-error.ts";
import { iterm2Image } from "./iterm2.ts";
import { kittyImage } from "./kitty.ts";
import type { Picture } from "./picture.ts";

/** Gives what makes a terminal show a picture; undefined when the terminal does not take its format. */
export type ImageEncoder = (picture: Picture, columns: number) => string | undefined;

/** How terminals take pictures. */
const PROTOCOLS = ["kitty", "iterm2", "sixel", "none"] as const;
type Protocol = (typeof PROTOCOLS)[number];

/** What sets it, where the terminal's variables don't tell. */
const VARIABLE = "IPYBOX_IMAGES";

/** The way in which this terminal shows pictures, as its variables tell; undefined when it shows none. */
export async function terminalImages(env: NodeJS.ProcessEnv): Promise<ImageEncoder | undefined> {
  switch (protocolOf(env)) {
    case "kitty":
      return kittyImage;
    case "iterm2":
      return iterm2Image;
    case "sixel":
      // Its packages are loaded where they are needed.
      return (await import("./sixel.ts")).sixelImage;
    case "none":
      return undefined;
  }
}

function protocolOf(env: NodeJS.ProcessEnv): Protocol {
  const { TERM = "", TERM_PROGRAM = "", LC_TERMINAL = "" } = env;
  const chosen = env[VARIABLE];
  if (chosen) return parseProtocol(chosen);
  // These stand between us and the terminal, and let no pictures through.
  if (env["TMUX"] || env["STY"] || /^(screen|tmux)/.test(TERM)) return "none";
  const hasKitty =
    env["KITTY_WINDOW_ID"] || env["KONSOLE_VERSION"] || /^xterm-(kitty|ghostty)$/.test(TERM) || TERM_PROGRAM === "ghostty";
  if (hasKitty) return "kitty";
  if (["iTerm.app", "WezTerm", "mintty"].includes(TERM_PROGRAM) || LC_TERMINAL === "iTerm2") return "iterm2";
  return /^(foot|mlterm|contour|yaft)/.test(TERM) ? "sixel" : "none";
}

function parseProtocol(text: string): Protocol {
  const protocol = PROTOCOLS.find((name) => name === text);
  if (protocol !== undefined) return protocol;
  throw new UsageError(`The variable ${VARIABLE} must be one of ${PROTOCOLS.join(", ")}. Given was ${JSON.stringify(text)}.`);
}
