import type { Command } from "commander";
import { expect, test } from "vitest";
import { program } from "../../src/cli/program.ts";
import { verifies } from "../requirements.ts";

const main = program();

test("the verbs", () => {
  verifies("CLI-01");
  expect(main.commands.map((command) => command.name())).toMatchInlineSnapshot(`
    [
      "run",
      "repl",
      "mcp",
      "build",
      "ls",
      "cleanup",
      "doctor",
      "bench",
    ]
  `);
});

test("ipybox --help", () => {
  verifies("CLI-01");
  expect(helpOf(main)).toMatchInlineSnapshot(`
    "Usage: ipybox [options] [command]

    Run Python from TypeScript: a sandbox on your own machine, with a stateful IPython kernel, streamed
    output and plots as images.

    Options:
      -V, --version                   output the version number
      -h, --help                      display help for command

    Commands:
      run [options] <file> [args...]  Run a Python or IPython file as one cell, in a container of its
                                      own
      repl [options]                  Run cells one after the other, in a container and a kernel of
                                      their own
      mcp [options]                   Serve sandboxes to agents by the Model Context Protocol
      build [options]                 Build an image for containers
      ls [options]                    List the containers that ipybox has started
      cleanup [options]               Remove the containers that ipybox has started, running ones too
      doctor [options]                Examine the Docker daemon: what confines containers, what is
                                      missing, and how to mend it
      bench [options]                 Measure how fast containers, kernels, cells and output are here
      help [command]                  display help for command
    "
  `);
});

test("ipybox run --help", () => {
  verifies("CLI-01");
  expect(helpOf(verb("run"))).toMatchInlineSnapshot(`
    "Usage: ipybox run [options] <file> [args...]

    Run a Python or IPython file as one cell, in a container of its own

    Arguments:
      file                    the file, or - for standard input
      args                    what sys.argv has behind the file

    Options:
      -t, --tag <image>       image to run (default: "gradion-ai/ipybox")
      -b, --bind <host:path>  show a host path below /app; :ro at its end makes it read-only
                              (repeatable)
      -e, --env <name=value>  set a variable; without a value it is taken from here (repeatable)
      --env-file <file>       set the variables of a file with a NAME=VALUE a line (repeatable)
      --memory <size>         limit of memory, for example 512m (default: 2g)
      --cpus <number>         limit of CPUs, fractions allowed (default: 2)
      --network <policy>      what cells may reach: internet, public, none, or allow:ENTRY,ENTRY…
                              (default: internet)
      --port <port>           host port of the container (default: a free one)
      --timeout <seconds>     how long the cell may run, 0 for no limit (default: 0)
      --output <dir>          save all plots there (default: here, and only those that the terminal
                              can't show)
      --json                  print one JSON document at the end, and nothing else
      -h, --help              display help for command

    Exit code: 0; 1 when the cell raised an exception; N after sys.exit(N); 124 on timeout;
    130 on Ctrl-C; 2 when the command line is wrong.
    "
  `);
});

test("ipybox repl --help", () => {
  verifies("CLI-01");
  expect(helpOf(verb("repl"))).toMatchInlineSnapshot(`
    "Usage: ipybox repl [options]

    Run cells one after the other, in a container and a kernel of their own

    Options:
      -t, --tag <image>       image to run (default: "gradion-ai/ipybox")
      -b, --bind <host:path>  show a host path below /app; :ro at its end makes it read-only
                              (repeatable)
      -e, --env <name=value>  set a variable; without a value it is taken from here (repeatable)
      --env-file <file>       set the variables of a file with a NAME=VALUE a line (repeatable)
      --memory <size>         limit of memory, for example 512m (default: 2g)
      --cpus <number>         limit of CPUs, fractions allowed (default: 2)
      --network <policy>      what cells may reach: internet, public, none, or allow:ENTRY,ENTRY…
                              (default: internet)
      --port <port>           host port of the container (default: a free one)
      --timeout <seconds>     how long a cell may run, 0 for no limit (default: 0)
      --output <dir>          save all plots there (default: here, and only those that the terminal
                              can't show)
      -h, --help              display help for command

    Ctrl-C interrupts the running cell; Ctrl-D, exit or quit ends the session, and all variables with it.
    Without a terminal each block of standard input is run; the exit code is that of the last error.
    "
  `);
});

test("ipybox mcp --help", () => {
  verifies("CLI-01", "MCP-03");
  expect(helpOf(verb("mcp"))).toMatchInlineSnapshot(`
    "Usage: ipybox mcp [options]

    Serve sandboxes to agents by the Model Context Protocol

    Options:
      -t, --tag <image>         image to run (default: "gradion-ai/ipybox")
      -b, --bind <host:path>    show a host path below /app; :ro at its end makes it read-only
                                (repeatable)
      -e, --env <name=value>    set a variable; without a value it is taken from here (repeatable)
      --env-file <file>         set the variables of a file with a NAME=VALUE a line (repeatable)
      --memory <size>           limit of memory, for example 512m (default: 2g)
      --cpus <number>           limit of CPUs, fractions allowed (default: 2)
      --network <policy>        what cells may reach: internet, public, none, or allow:ENTRY,ENTRY…
                                (default: public)
      --http                    serve over streamable HTTP, with a session for each client
      --host <address>          address to listen on; one that others reach needs --token-file (default:
                                "127.0.0.1")
      --port <port>             port to listen on (default: 8717)
      --token-file <file>       tokens that let clients in, one a line; made when missing (default: one
                                of this user)
      --allowed-dir <dir>       host directory that files may be copied from and to (repeatable;
                                default: none)
      --servers <file>          MCP servers that cells may use, as JSON with mcpServers
      --timeout <seconds>       how long a cell may run, 0 for no limit (default: 120)
      --idle-timeout <seconds>  end a sandbox without calls after this time, 0 for never (default: 3600)
      --max-sessions <number>   sessions at a time, over HTTP (default: 8)
      --shared-container        one container for all sessions: they share files and packages, but no
                                variables
      -h, --help                display help for command

    Without --http the protocol is spoken on standard input and output, for the client that starts this command.
    Clients over HTTP send "Authorization: Bearer TOKEN" with a token of the file.
    "
  `);
});

test("ipybox bench --help", () => {
  verifies("CLI-01");
  expect(helpOf(verb("bench"))).toMatchInlineSnapshot(`
    "Usage: ipybox bench [options]

    Measure how fast containers, kernels, cells and output are here

    Options:
      -t, --tag <image>       image to run (default: "gradion-ai/ipybox")
      -b, --bind <host:path>  show a host path below /app; :ro at its end makes it read-only
                              (repeatable)
      -e, --env <name=value>  set a variable; without a value it is taken from here (repeatable)
      --env-file <file>       set the variables of a file with a NAME=VALUE a line (repeatable)
      --memory <size>         limit of memory, for example 512m (default: 2g)
      --cpus <number>         limit of CPUs, fractions allowed (default: 2)
      --network <policy>      what cells may reach: internet, public, none, or allow:ENTRY,ENTRY…
                              (default: internet)
      --port <port>           host port of the container (default: a free one)
      --json                  print the figures as JSON
      -h, --help              display help for command
    "
  `);
});

test("ipybox build --help", () => {
  verifies("CLI-01");
  expect(helpOf(verb("build"))).toMatchInlineSnapshot(`
    "Usage: ipybox build [options]

    Build an image for containers

    Options:
      -t, --tag <tag>            name of the image (default: "gradion-ai/ipybox")
      -d, --dependencies <file>  requirements.txt or pyproject.toml whose packages to install
      --base <image>             Debian-based image to build on (default: Debian trixie)
      --preload <modules>        modules that new kernels have imported already, comma-separated
      --ca-certificates <path>   file or directory with further certificates to trust (repeatable)
      -h, --help                 display help for command
    "
  `);
});

test("ipybox ls --help", () => {
  verifies("CLI-01");
  expect(helpOf(verb("ls"))).toMatchInlineSnapshot(`
    "Usage: ipybox ls [options]

    List the containers that ipybox has started

    Options:
      --json      print them as JSON
      -h, --help  display help for command
    "
  `);
});

test("ipybox cleanup --help", () => {
  verifies("CLI-01");
  expect(helpOf(verb("cleanup"))).toMatchInlineSnapshot(`
    "Usage: ipybox cleanup [options]

    Remove the containers that ipybox has started, running ones too

    Options:
      -a, --ancestor <image>  only containers of this image
      -h, --help              display help for command
    "
  `);
});

function verb(name: string): Command {
  const command = main.commands.find((command) => command.name() === name);
  if (command === undefined) throw new Error(`there is no ${name}`);
  return command;
}

/** As it is printed on a terminal of 100 columns. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100, getOutHasColors: () => false });
  command.outputHelp();
  return text;
}
