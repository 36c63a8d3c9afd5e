#!/usr/bin/env node
import { program } from "./program.ts";
import { printError } from "./print.ts";

try {
  await program().parseAsync();
} catch (error) {
  printError(error);
  process.exitCode = 1;
}
