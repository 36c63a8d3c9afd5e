/** MIME type → text, bytes (images, PDF) or a JSON value. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** One call of a traceback. */
export interface TracebackFrame {
  /** A path in the container, or `In[n]` for the code of a cell. */
  readonly file: string;
  /** Line in that file, from 1. */
  readonly line: number;
  readonly function: string;
  /** The line's code, without its indentation; empty when it can't be had. */
  readonly code: string;
}

/** What happens in an execution, in order: Jupyter's message names, with the content beside them. */
export type ExecutionEvent =
  StreamEvent | DisplayEvent | ExecuteResultEvent | ClearOutputEvent | InputRequestEvent | ErrorEvent | ExecuteReplyEvent;

/** Text that was written to standard output or standard error. */
export interface StreamEvent {
  readonly type: "stream";
  readonly name: "stdout" | "stderr";
  readonly text: string;
}

/** `display(…)`, or its update. */
export interface DisplayEvent {
  readonly type: "display_data" | "update_display_data";
  readonly data: MimeBundle;
  readonly metadata: MimeBundle;
  /** What is no part of the output: the display's name, and what the cell has added. */
  readonly transient: { readonly display_id?: string | undefined; readonly [key: string]: unknown };
}

/** The value of the cell's last expression. */
export interface ExecuteResultEvent {
  readonly type: "execute_result";
  readonly execution_count: number;
  readonly data: MimeBundle;
  readonly metadata: MimeBundle;
}

/** `clear_output()`; with `wait`, as soon as something else is shown. */
export interface ClearOutputEvent {
  readonly type: "clear_output";
  readonly wait: boolean;
}

/** An exception as IPython shows it. */
export interface ExceptionContent {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
  readonly frames: readonly TracebackFrame[];
}

/** The exception that ended the cell. */
export interface ErrorEvent extends ExceptionContent {
  readonly type: "error";
}

/** What the cell asks of who shows it: Jupyter's payloads. */
export interface Payload {
  /** `page` has a text to show in `data`; `set_next_input` offers `text` as the next cell; `edit_magic` names a file. */
  readonly source: string;
  readonly data?: MimeBundle | undefined;
  readonly start?: number | undefined;
  readonly text?: string | undefined;
  /** Whether `text` takes the place of the cell. */
  readonly replace?: boolean | undefined;
  readonly filename?: string | undefined;
  readonly line_number?: number | null | undefined;
}

/** The end of the cell; with the status `error` it has what the `error` event had. */
export type ExecuteReplyEvent = ExecuteOkEvent | ExecuteErrorEvent;

interface ExecuteEnd {
  readonly type: "execute_reply";
  readonly execution_count: number;
  readonly payload: readonly Payload[];
}

/** The cell has run to its end. */
export interface ExecuteOkEvent extends ExecuteEnd {
  readonly status: "ok";
}

/** An exception has ended the cell. */
export interface ExecuteErrorEvent extends ExecuteEnd, ExceptionContent {
  readonly status: "error";
}

/** `input()` or `getpass()`: the cell waits for an answer. */
export interface InputRequestEvent {
  readonly type: "input_request";
  readonly prompt: string;
  /** Whether the answer must not be shown. */
  readonly password: boolean;
  /** Names the question within its execution. */
  readonly number: number;
}
