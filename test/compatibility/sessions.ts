import { type Cell, codesOf, type Topic } from "./cell.ts";
import type { Message } from "./messages.ts";

/** Cells that share a kernel, in the order they run. */
export interface Session {
  readonly topic: string;
  readonly cells: readonly Cell[];
}

/** One session a topic, and one for each cell that wants a kernel of its own. */
export function sessionsOf(corpus: readonly Topic[]): Session[] {
  return corpus.flatMap(({ name: topic, cells }) => [
    { topic, cells: cells.filter(({ fresh }) => fresh === undefined) },
    ...cells.filter(({ fresh }) => fresh).map((cell) => ({ topic, cells: [cell] })),
  ]);
}

/** The code of a session; before it, each side goes to a directory of its own. */
export function codeOf(session: Session, side: "reference" | "ours", index: number): string[] {
  const directory = `/tmp/compatibility/${side}/${index}`;
  const enter = `import os\nos.makedirs('${directory}')\nos.chdir('${directory}')\ndel os`;
  return [enter, ...session.cells.flatMap(codesOf)];
}

/** The messages of each cell, from those of a session's code. */
export function messagesPerCell(session: Session, answers: readonly (readonly Message[])[]): Map<Cell, Message[]> {
  let next = 1;
  return new Map(
    session.cells.map((cell) => {
      const start = next;
      next += codesOf(cell).length;
      return [cell, answers.slice(start, next).flat()];
    }),
  );
}

/** What the corpus needs, for one call of pip. */
export function packagesOf(corpus: readonly Topic[]): string[] {
  return [...new Set(corpus.flatMap(({ cells }) => cells.flatMap(({ requires }) => requires ?? [])))].toSorted();
}
