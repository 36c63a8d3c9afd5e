/**
 * What the package has to do, one behaviour a line. A test that proves one cites its id with
 * `verifies("EXEC-01")`; `test/unit/requirements.test.ts` fails when a claimed one is cited nowhere.
 */
export const REQUIREMENTS = {
  // Containers
  "CONT-01": "run() and kill() by hand; run() resolves when code can be executed at once",
  "CONT-02": "create() with `await using` removes the container, also when the block throws",
  "CONT-03": "a default image, and others by tag, registry with port, digest or no tag",
  "CONT-04": "a missing image is pulled with a bar; else the error has image, registry's reason and build command",
  "CONT-05": "binds below /app, relative, created, read-only; files get the caller's uid and gid, never root's",
  "CONT-06": "env reaches cells with any value",
  "CONT-07": "a fixed or a free port; a taken one is named and leaves nothing behind",
  "CONT-08": "DOCKER_HOST in all its forms and docker contexts are honoured",
  "CONT-09": "run, kill and concurrent kills may be repeated without error or leak",
  "CONT-10": "a daemon that is absent, not permitted or too old is told apart within 5 s",
  "CONT-11": "memory, CPU, process and shared memory limits, with defaults, shown by docker inspect",
  "CONT-12": "labels on every container; nothing without them is touched",
  "CONT-13": "caCertificates are trusted by Python, pip, requests, Node and curl in that container",
  // Images
  "IMG-01": "build with tag, base and packages from requirements.txt or pyproject.toml, showing progress",
  "IMG-02": "without a registry the base is made from Debian's packages, told in one line",
  "IMG-03": "cleanup removes this package's containers, all or of one image, and says how many",
  "IMG-04": "a rebuild of the same takes under 5 s; the default image is under 450 MB",
  "IMG-05": "bad dependencies fail with the installer's message and leave no tag",
  "IMG-06": "preloaded packages are there in new kernels, and in their new state once changed",
  "IMG-07": "builds work behind a TLS-inspecting proxy, and so do cells of the image",
  // Execution
  "EXEC-01": "the text of a print",
  "EXEC-02": "text of prints and values as in a notebook, stripped, null when there is none",
  "EXEC-03": "state is kept within a client and not seen by others",
  "EXEC-04": "500,000 characters, 500,000 lines and 100 MB arrive exactly",
  "EXEC-05": "cells of 10,002 lines and of 12 MB run",
  "EXEC-06": "IPython's await, shell commands, magics, help and indented cells",
  "EXEC-07": "an exception rejects with name, value, traceback and what was printed before",
  "EXEC-08": "plots and PIL images come as images, in order, and not as text",
  "EXEC-09": "packages can be installed at run time and are seen by all clients",
  "EXEC-10": "submissions run in order, each with its own output",
  "EXEC-11": "after an error the next submission runs, or with stopOnError is aborted",
  "EXEC-12": "odd code has a defined outcome and the kernel goes on",
  // Streaming
  "STREAM-01": "a line reaches the loop within 50 ms of its print",
  "STREAM-02": "result() after the stream is there at once; alone it drains the stream",
  "STREAM-03": "all output in the order it was written; stdout and stderr kept apart in the result",
  "STREAM-04": "leaving the loop cancels the cell, or detaches",
  "STREAM-05": "events() gives what a notebook would see, typed",
  "STREAM-06": "what was printed before the end of the process is not lost",
  // Timeouts and interrupts
  "TIME-01": "a timeout interrupts, keeps the output in its error and the state in the kernel",
  "TIME-02": "interrupt() and AbortSignal end the cell; the next one runs",
  "TIME-03": "code that can't be interrupted is ended with its kernel within 5 s",
  "TIME-04": "the timer leaves out the consumer's time, input() and approvals",
  "TIME-05": "every wait has a bound that does not depend on the agent",
  // Outputs
  "OUT-01": "outputs as a union in order, with every MIME type and its metadata",
  "OUT-02": "displays that change: results have the final state, events every step",
  "OUT-03": "DataFrames, Plotly, Altair, Bokeh, SymPy, Pillow and rich as in a notebook",
  "OUT-04": "input() and getpass() ask onInput, or fail at once",
  "OUT-05": "pager texts are given",
  "OUT-06": "late output is delivered, marked, and attributed to the cell that caused it",
  "OUT-07": "traceback frames as data, with the cell's own lines",
  "OUT-08": "maxOutputBytes bounds what a result keeps; streams are never cut",
  "OUT-09": "variables are read, set and listed",
  "OUT-10": "completion, inspection, isComplete",
  // Kernels
  "KERN-01": "many clients on a container, isolated and concurrent",
  "KERN-02": "reset() in under 50 ms keeps container, files and packages",
  "KERN-03": "fork() copies all state; fresh kernels share no random seed",
  "KERN-04": "several forks, forks of forks, parents closed first",
  "KERN-05": "a kernel's death rejects within 1 s with its reason; the next call runs in a fresh one",
  "KERN-06": "out of memory is told apart, and nothing else suffers",
  "KERN-07": "a container's death rejects within 2 s with the reason, later calls at once",
  "KERN-08": "a dropped connection comes back byte-exact; the cell ran once",
  "KERN-09": "another process attaches to a kernel and an execution by id",
  "KERN-10": "disconnect() removes the kernel; one left behind goes after a grace period",
  "KERN-11": "idle kernels and containers are culled, never while a cell runs",
  "KERN-12": "debuggers, exits, resets, dup2 and fork in a cell have a defined outcome",
  // Containment
  "SEC-01": "a cell has no capability, no root, no new privileges, no device",
  "SEC-02": "an own seccomp profile",
  "SEC-03": "every resource is bounded; each bound is an option and hit by a test",
  "SEC-04": "a cell can't touch the agent, its token or other kernels",
  "SEC-05": "options that widen the sandbox are spelled dangerously",
  "SEC-06": "taking any hardening away turns a test red",
  "SEC-07": "doctor tells what is missing and how to mend it",
  "SEC-08": "other runtimes are passed on, or an error",
  "SEC-09": "no secret in logs, errors, docker inspect, argv or environments",
  // Network
  "NET-01": "the network modes internet, public, none and allow",
  "NET-02": "none and allow hold from the first instruction and fail closed",
  "NET-03": "an empty list allows nothing; a bad entry is named",
  "NET-04": "allowed names work without setup in the cell",
  "NET-05": "names are matched exactly, in one canonical form",
  "NET-06": "metadata, private ranges, host and neighbours are out of reach unless listed",
  "NET-07": "denied connections are events and fail at once",
  "NET-08": "setNetwork() changes the policy live",
  // Life cycle and load
  "LIFE-01": "when the owner dies its containers go within 30 s",
  "LIFE-02": "exits and signals leave nothing; the library installs no process handlers",
  "LIFE-03": "many cycles, containers, kernels and executions without a leak",
  "LIFE-04": "a hog in one container hurts neither its control channel nor others",
  "LIFE-05": "parsers hold against 10,000 random inputs each",
  // Files
  "FILE-01": "read, write, list, watch and the like with the kernel's rights",
  "FILE-02": "uploads and downloads, byte-exact at bounded memory",
  "FILE-03": "nothing a sandbox holds writes outside of the target directory",
  "FILE-04": "a module's sources by name",
  // Host functions, MCP, frameworks
  "HOST-01": "functions of the host as typed Python functions",
  "HOST-02": "approval accepts, rejects or edits each call",
  "HOST-03": "parallel calls, cancellation, 1,000 calls a second",
  "MCP-01": "an MCP server becomes a typed Python package",
  "MCP-02": "servers run on the host or in the container, started on first use",
  "MCP-03": "ipybox mcp serves execution over stdio and HTTP",
  "MCP-04": "Origin, Host, token and directories are checked",
  "MCP-05": "works with real MCP clients",
  "AI-01": "tools for AI frameworks, each with a runnable example",
  // Command line and documentation
  "CLI-01": "the verbs, --json where scripts want it, the cell's exit code, plots saved or shown",
  "DOC-01": "README, `npm run demo` and `npm test` from a fresh machine",
  "DOC-02": "a guide a section, every code block compiled and run",
  "DOC-03": "every exported name has a doc comment",
  "DOC-04": "benchmarks with figures, method, command and plots",
} as const satisfies Readonly<Record<string, string>>;

export type RequirementId = keyof typeof REQUIREMENTS;

/** Groups (`"CONT"`) and single ids of which each must be cited by a test. The rest is planned. */
export const CLAIMED: readonly string[] = [
  ...["CONT", "IMG", "EXEC", "STREAM", "TIME", "OUT", "KERN"],
  ...["SEC", "NET", "LIFE", "FILE", "HOST", "MCP", "AI-01", "CLI-01", "DOC"],
];

/** The ids that are claimed. An entry of `claimed` that names nothing is an error. */
export function claimedIds(claimed: readonly string[] = CLAIMED): readonly RequirementId[] {
  const ids = Object.keys(REQUIREMENTS) as RequirementId[];
  return claimed.flatMap((entry) => {
    const found = ids.filter((id) => id === entry || id.replace(/-\d+$/, "") === entry);
    if (found.length === 0) throw new Error(`there is no requirement or group ${JSON.stringify(entry)}`);
    return found;
  });
}

/** Says that the test that calls it proves these requirements. Throws on an unknown id. */
export function verifies(...ids: readonly RequirementId[]): void {
  const unknown = ids.filter((id) => !Object.hasOwn(REQUIREMENTS, id));
  if (unknown.length > 0) throw new Error(`there is no requirement ${unknown.join(", ")}`);
}
