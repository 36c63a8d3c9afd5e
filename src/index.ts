export { type ClientEvents, ExecutionClient } from "./client.ts";
export type {
  AttachOptions,
  ExecutionClientOptions,
  ForkOptions,
  InputDetails,
  InputHandler,
  QuestionOptions,
  ResultOptions,
  StreamOptions,
  SubmitOptions,
  VariableOptions,
} from "./client-options.ts";
export { ExecutionContainer } from "./container.ts";
export {
  ContainerDiedError,
  type ErrorDetails,
  ExecutionAbortedError,
  ExecutionError,
  ExecutionTimeoutError,
  FileError,
  type FileErrorCode,
  type FileErrorOptions,
  IpyboxError,
  type IpyboxErrorCode,
  type IpyboxErrorOptions,
  type KernelDeath,
  KernelDiedError,
  type PythonException,
} from "./errors.ts";
export { Execution } from "./execution.ts";
export type { ApprovalDecision, ApprovalHandler, ApprovalRequest } from "./host/approval.ts";
export type { HostCallContext, HostFunction, HostSchema, HostValue, JsonSchema } from "./host/host-function.ts";
export { type FileData, Files } from "./files/files.ts";
export type { FileEntry, FileInfo } from "./files/file-info.ts";
export type {
  DownloadDirectoryOptions,
  DownloadOptions,
  FileOptions,
  ListOptions,
  ReadOptions,
  RemoveOptions,
  StatOptions,
  TransferProgress,
  UploadOptions,
  WatchOptions,
  WriteOptions,
} from "./files/file-options.ts";
export type { FilePath, NamedPath } from "./files/file-path.ts";
export { type FileEvent, FileWatch } from "./files/file-watch.ts";
export type { TransferSummary } from "./files/transfer.ts";
export { type BuildProgress, ExecutionImage, type ExecutionImageOptions } from "./image.ts";
export type { Completeness, Completion, Inspection } from "./introspection.ts";
export type { McpHttpConfig, McpServerConfig, McpStdioConfig, McpTimeLimits } from "./mcp/config.ts";
export type { McpServer, McpTool } from "./mcp/mcp-server.ts";
export type { LateOutput } from "./late-output.ts";
export { DEFAULTS, type ExecutionContainerOptions, type SandboxUser } from "./options.ts";
export type { DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput } from "./outputs.ts";
export type { NetworkPolicy } from "./network/policy.ts";
export type { DeniedEvent } from "./protocol/control.ts";
export type { Variable } from "./protocol/answers.ts";
export type {
  ClearOutputEvent,
  DisplayEvent,
  ErrorEvent,
  ExceptionContent,
  ExecuteErrorEvent,
  ExecuteOkEvent,
  ExecuteReplyEvent,
  ExecuteResultEvent,
  ExecutionEvent,
  InputRequestEvent,
  MimeBundle,
  Payload,
  StreamEvent,
  TracebackFrame,
} from "./protocol/events.ts";
export { ExecutionResult } from "./result.ts";
export { ResultImage } from "./result-image.ts";
export { NdArray, type Settable, type SettableValue, type TypedArray, type Value } from "./variables.ts";
