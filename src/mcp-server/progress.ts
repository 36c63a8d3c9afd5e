import { plainText } from "../plain-text.ts";

/** So often at most. */
const INTERVAL_MS = 100;

/** A cell that prints nothing gives a sign of life so often: clients give up a call that is silent for long. */
const SILENCE_MS = 5_000;

/** Characters of a message. */
const MAX_CHARACTERS = 1_000;

/** Sends one notification; its number must be greater than that of the one before. */
export type SendProgress = (progress: number, message: string) => Promise<void>;

/** Tells a client, while a call goes on, what was printed since it was told last. */
export class Progress {
  readonly #send: SendProgress | undefined;
  readonly #startedAt = performance.now();
  #number = 0;
  #text = "";
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #hasEnded = false;

  /** Without `send` nobody wants to know. */
  constructor(send: SendProgress | undefined) {
    this.#send = send;
    this.#plan();
  }

  /** Something was printed. */
  add(text: string): void {
    if (this.#send === undefined || text === "") return;
    const hadText = this.#text !== "";
    this.#text = (this.#text + text).slice(-2 * MAX_CHARACTERS);
    if (!hadText) this.#plan();
  }

  /** Nothing is sent after this has resolved. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    await this.#sending;
  }

  /** One at a time: a client that reads slowly gets fewer. */
  #plan(): void {
    if (this.#send === undefined || this.#sending !== undefined || this.#hasEnded) return;
    clearTimeout(this.#timer);
    const waitMs = this.#text === "" ? SILENCE_MS : Math.max(0, this.#sentAt + INTERVAL_MS - performance.now());
    this.#timer = setTimeout(() => this.#tell(), waitMs).unref();
  }

  #tell(): void {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    const message = plainText(this.#text).trim().slice(-MAX_CHARACTERS) || `running for ${seconds} s`;
    this.#text = "";
    this.#number += 1;
    this.#sending = (this.#send?.(this.#number, message) ?? Promise.resolve())
      // Whether anybody hears it is not the call's concern.
      .catch(() => undefined)
      .finally(() => {
        this.#sending = undefined;
        this.#sentAt = performance.now();
        this.#plan();
      });
  }
}
