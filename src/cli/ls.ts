import { Command } from "commander";
import { listContainers } from "../containers.ts";
import { table } from "./print.ts";

/** `ipybox ls` */
export function lsCommand(): Command {
  return new Command("ls")
    .description("List the containers that ipybox has started")
    .option("--json", "print them as JSON")
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      const containers = await listContainers();
      if (json) {
        process.stdout.write(`${JSON.stringify(containers, undefined, 2)}\n`);
        return;
      }
      const rows = containers.map(({ id, image, running, port, createdAt, owner }) => [
        ...[id.slice(0, 12), image, running ? "running" : "ended", port === undefined ? "-" : String(port)],
        ...[createdAt, owner],
      ]);
      process.stdout.write(`${table(["ID", "IMAGE", "STATE", "PORT", "CREATED", "OWNER"], rows)}\n`);
    });
}
