import type { Topic } from "./cell.ts";
import { descriptors } from "./cells/descriptors.ts";
import { displays } from "./cells/displays.ts";
import { endings } from "./cells/endings.ts";
import { errors } from "./cells/errors.ts";
import { help } from "./cells/help.ts";
import { libraries } from "./cells/libraries.ts";
import { magics } from "./cells/magics.ts";
import { plots } from "./cells/plots.ts";
import { prints } from "./cells/prints.ts";
import { questions } from "./cells/questions.ts";
import { results } from "./cells/results.ts";
import { shellCommands } from "./cells/shell-commands.ts";
import { sources } from "./cells/sources.ts";
import { tables } from "./cells/tables.ts";
import { tasks } from "./cells/tasks.ts";
import { threads } from "./cells/threads.ts";
import { unicode } from "./cells/unicode.ts";
import { updates } from "./cells/updates.ts";
import { widgets } from "./cells/widgets.ts";

/** What is compared with ipykernel. */
export const corpus: readonly Topic[] = [
  prints,
  results,
  displays,
  updates,
  magics,
  shellCommands,
  errors,
  tasks,
  threads,
  descriptors,
  plots,
  tables,
  libraries,
  widgets,
  unicode,
  sources,
  help,
  endings,
  questions,
];
