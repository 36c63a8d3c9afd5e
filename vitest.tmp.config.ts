import { defineConfig } from "vitest/config";
export default defineConfig({ root: "/work/main", test: { include: ["test/integration/{execute,stream,timeouts,packages}.test.ts"], testTimeout: 60000, hookTimeout: 180000, maxWorkers: 1, fileParallelism:false } });
