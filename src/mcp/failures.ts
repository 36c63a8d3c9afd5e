import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";

const MAX_LENGTH = 2_000;

/** Says in a sentence without a full stop what has gone wrong between a server and us. */
export function describeFailure(error: unknown): string {
  return sentence(error)
    .replace(/\s*\.?\s*$/, "")
    .slice(0, MAX_LENGTH);
}

function sentence(error: unknown): string {
  if (error instanceof SdkHttpError && typeof error.status === "number") return httpFailure(error.status, error);
  if (error instanceof SdkError) {
    switch (error.code) {
      case SdkErrorCode.RequestTimeout:
        return "it does not answer in time";
      case SdkErrorCode.ConnectionClosed:
      case SdkErrorCode.NotConnected:
        return "it has ended or closed the connection";
      case SdkErrorCode.InvalidResult:
        return "it answers what is no answer by the protocol";
      case SdkErrorCode.ListPaginationExceeded:
        return "its list of tools does not end";
      case SdkErrorCode.EraNegotiationFailed:
        return error.cause === undefined ? error.message : sentence(error.cause);
      default:
        return error.message;
    }
  }
  if (error instanceof ProtocolError) return `it answers with an error: ${error.message}`;
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "EACCES") {
    return `the command ${JSON.stringify(path ?? "")} ${code === "ENOENT" ? "is not found" : "may not be run"}`;
  }
  const { cause } = error;
  // What `fetch` throws says nothing by itself.
  return cause instanceof Error && cause.message !== "" ? `${error.message} (${cause.message})` : error.message;
}

function httpFailure(status: number, error: Error): string {
  if (status === 401 || status === 403) return `it answers with HTTP ${status}: put its credentials into headers`;
  return `it answers with HTTP ${status}: ${error.message}`;
}

/** Whether a request has failed before the server could act on it: it may be made again. */
export function isUnsent(error: unknown): boolean {
  if (error instanceof SdkHttpError) return error.status === 404; // the session is not known any more
  return error instanceof SdkError && error.code === SdkErrorCode.NotConnected;
}

/** Whether the server itself has answered with an error. */
export function isAnswer(error: unknown): error is ProtocolError {
  return error instanceof ProtocolError;
}

export function isTimeout(error: unknown): boolean {
  return error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout;
}

/** Whether the connection is of no use any more: the next call needs another. */
export function isBroken(error: unknown): boolean {
  if (isAnswer(error) || isTimeout(error)) return false;
  if (error instanceof SdkHttpError) return error.status === 404;
  return !(error instanceof SdkError) || error.code !== SdkErrorCode.InvalidResult;
}
