import type { Scenario } from "./scenario.ts";
import { breakdown } from "./scenarios/breakdown.ts";
import { bulk } from "./scenarios/bulk.ts";
import { connect } from "./scenarios/connect.ts";
import { create } from "./scenarios/create.ts";
import { endurance } from "./scenarios/endurance.ts";
import { files } from "./scenarios/files.ts";
import { forks } from "./scenarios/forks.ts";
import { hostCalls } from "./scenarios/host-calls.ts";
import { kernelMemory } from "./scenarios/kernel-memory.ts";
import { manyKernels } from "./scenarios/many-kernels.ts";
import { network } from "./scenarios/network.ts";
import { plot } from "./scenarios/plot.ts";
import { slowReader } from "./scenarios/slow-reader.ts";
import { stream } from "./scenarios/stream.ts";
import { throughput } from "./scenarios/throughput.ts";
import { warm } from "./scenarios/warm.ts";

/** All scenarios, in the order in which they are run and reported. */
export const SCENARIOS: readonly Scenario[] = [
  warm,
  breakdown,
  connect,
  create,
  stream,
  throughput,
  bulk,
  slowReader,
  kernelMemory,
  manyKernels,
  plot,
  network,
  forks,
  files,
  hostCalls,
  endurance,
];
