import type { Secret } from "./config.ts";

/** Shorter values stand in too many texts by chance, and keep no secret. */
const MIN_LENGTH = 4;

/** Takes secrets out of texts that others see, also in the form in which they stand in a URL. */
export function redactor(secrets: readonly Secret[]): (text: string) => string {
  const shown = new Map<string, string>();
  for (const secret of secrets) {
    for (const form of [secret.value, encodeURIComponent(secret.value.replace(/[\ud800-\udfff]/g, ""))]) {
      if (form.length >= MIN_LENGTH && !shown.has(form)) shown.set(form, secret.shown);
    }
  }
  // The longest first: one secret may be part of another.
  const forms = [...shown].sort(([a], [b]) => b.length - a.length);
  return (text) => forms.reduce((rest, [form, replacement]) => rest.split(form).join(replacement), text);
}
