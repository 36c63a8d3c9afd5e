export { ExecutionClient } from "./client.ts";
export { ExecutionContainer } from "./container.ts";
export {
  ContainerDiedError,
  type ErrorDetails,
  ExecutionAbortedError,
  ExecutionError,
  ExecutionTimeoutError,
  IpyboxError,
  type IpyboxErrorCode,
  type IpyboxErrorOptions,
  type KernelDeath,
  KernelDiedError,
  type PythonException,
} from "./errors.ts";
export { Execution } from "./execution.ts";
export { ExecutionImage } from "./image.ts";
export {
  DEFAULTS,
  type ExecutionClientOptions,
  type ExecutionContainerOptions,
  type ResultOptions,
  type SandboxUser,
  type StreamOptions,
  type SubmitOptions,
} from "./options.ts";
export type { DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput } from "./outputs.ts";
export type {
  ClearOutputEvent,
  DisplayEvent,
  ErrorEvent,
  ExecuteReplyEvent,
  ExecuteResultEvent,
  ExecutionEvent,
  MimeBundle,
  StreamEvent,
  TracebackFrame,
} from "./protocol/events.ts";
export { ExecutionResult } from "./result.ts";
export { ResultImage } from "./result-image.ts";
