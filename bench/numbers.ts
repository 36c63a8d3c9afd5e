import type { Goal } from "./scenario.ts";

/** A number with three digits that count, and with commas between thousands. */
export function number(value: number): string {
  if (value === 0) return "0";
  const digits = Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.max(0, Math.min(3, 2 - digits));
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A whole number, or one that somebody has set, as it is. */
export function exact(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number with its unit. */
export function amount(value: number, unit: Goal["unit"]): string {
  return unit === "×" ? `${number(value)} ×` : `${number(value)} ${unit}`;
}
