import { Command } from "commander";
import { removeContainers, removeRemains } from "../containers.ts";

/** `ipybox cleanup` */
export function cleanupCommand(): Command {
  return new Command("cleanup")
    .description("Remove the containers that ipybox has started, running ones too")
    .option("-a, --ancestor <image>", "only containers of this image")
    .action(async ({ ancestor }: { readonly ancestor?: string }) => {
      const removed = await removeContainers({ image: ancestor });
      const remains = ancestor === undefined ? await removeRemains() : 0;
      const count = `${removed.length} container${removed.length === 1 ? "" : "s"}`;
      process.stdout.write(`Removed ${count}${ancestor === undefined ? "" : ` of image ${ancestor}`}\n`);
      if (remains > 0) process.stdout.write(`Removed what was left of ${remains} more\n`);
    });
}
