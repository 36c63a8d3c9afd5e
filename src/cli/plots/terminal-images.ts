import { iterm2Image } from "./iterm2.ts";
import { kittyImage } from "./kitty.ts";
import type { Picture } from "./picture.ts";

/** Gives what makes a terminal show a picture; undefined when the terminal does not take its format. */
export type ImageEncoder = (picture: Picture, columns: number) => string | undefined;

/** The way in which this terminal shows pictures, as its variables tell; undefined when it shows none. */
export function terminalImages(env: NodeJS.ProcessEnv): ImageEncoder | undefined {
  const { TERM = "", TERM_PROGRAM = "", LC_TERMINAL = "" } = env;
  // These stand between us and the terminal, and let no pictures through.
  if (env["TMUX"] || env["STY"] || /^(screen|tmux)/.test(TERM)) return undefined;
  const hasKitty =
    env["KITTY_WINDOW_ID"] || env["KONSOLE_VERSION"] || /^xterm-(kitty|ghostty)$/.test(TERM) || TERM_PROGRAM === "ghostty";
  if (hasKitty) return kittyImage;
  const hasIterm2 = ["iTerm.app", "WezTerm", "mintty"].includes(TERM_PROGRAM) || LC_TERMINAL === "iTerm2";
  return hasIterm2 ? iterm2Image : undefined;
}
