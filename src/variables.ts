import { IpyboxError } from "./errors.ts";
import type { Buffers } from "./protocol/requests.ts";

/** JavaScript's arrays of numbers, as NumPy's and `array.array`'s are in Python. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A NumPy array of any number of dimensions, in C order. One of a single dimension comes as its `data` alone. */
export class NdArray {
  readonly data: TypedArray;
  readonly shape: readonly number[];

  constructor(data: TypedArray, shape: readonly number[]) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (size !== data.length) {
      throw new IpyboxError(
        "invalid_option",
        `NdArray: shape ${JSON.stringify(shape)} asks for ${size} numbers, data has ${data.length}.`,
      );
    }
    this.data = data;
    this.shape = shape;
  }
}

/**
 * What a variable can be on this side. Python's `bytes` are a `Uint8Array`, integers beyond 53 bits a `bigint`, NumPy's
 * arrays typed arrays or an `NdArray`, tables an array of rows, dates and times ISO 8601 texts.
 */
export type Value =
  null | boolean | number | bigint | string | TypedArray | NdArray | Value[] | { readonly [name: string]: Value };

/** What `set` takes: as `Value`, and dates, which become a `datetime`. */
export type SettableValue = Value | Date | readonly SettableValue[] | { readonly [name: string]: SettableValue };

/** `T` where its properties are all settable, `never` in place of what is not: interfaces are no `SettableValue` by themselves. */
export type Settable<T> = T extends SettableValue
  ? T
  : T extends (...args: never[]) => unknown
    ? never
    : T extends object
      ? { readonly [K in keyof T]: Settable<T[K]> }
      : never;

const ARRAYS = {
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
} as const;

/** A value as a message has it: what JSON lacks is an object with `$`; bytes go beside. See `python/ipybox_kernel/variables.py`. */
export function encodeValue(value: unknown, subject = "set: the value"): { readonly value: unknown; readonly buffers: Buffers } {
  const buffers: [string[], Uint8Array][] = [];
  return { value: encode(value, ["value"], { buffers, above: new Set(), subject }), buffers };
}

/** The other way round. */
export function decodeValue(value: unknown): Value {
  if (value === null || typeof value !== "object") return value as Value;
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(decodeValue);
  const tagged = value as Readonly<Record<string, unknown>>;
  switch (tagged["$"]) {
    case undefined:
      return decodeItems(tagged);
    case "object":
      return decodeItems(tagged["value"] as Readonly<Record<string, unknown>>);
    case "bigint":
      return BigInt(String(tagged["value"]));
    case "float":
      return { nan: Number.NaN, inf: Infinity, "-inf": -Infinity }[String(tagged["value"])] ?? Number.NaN;
    case "array":
      return decodeArray(tagged);
    default:
      throw new IpyboxError("protocol_violation", `The kernel gave a value of the unknown kind ${JSON.stringify(tagged["$"])}.`);
  }
}

interface Encoding {
  readonly buffers: [string[], Uint8Array][];
  /** The objects that the value is in. */
  readonly above: Set<object>;
  /** What the value is, for errors. */
  readonly subject: string;
}

function encode(value: unknown, path: string[], encoding: Encoding): unknown {
  const { buffers, above } = encoding;
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : { $: "float", value: String(value).replace("Infinity", "inf") };
    case "bigint":
      return { $: "bigint", value: String(value) };
    case "object":
      break;
    default:
      throw unsettable(encoding.subject, path, typeof value);
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) {
    buffers.push([path, value]);
    return null;
  }
  if (value instanceof NdArray) return encodeArray(value.data, value.shape, path, encoding);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return encodeArray(value as TypedArray, [value.byteLength / (value as TypedArray).BYTES_PER_ELEMENT], path, encoding);
  }
  if (value instanceof Date) return { $: "date", value: value.toISOString() };
  if (above.has(value)) throw unsettable(encoding.subject, path, "an object that contains itself");
  above.add(value);
  try {
    if (Array.isArray(value)) return value.map((item, index) => encode(item, [...path, String(index)], encoding));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null)
      throw unsettable(encoding.subject, path, `an object of class ${value.constructor.name}`);
    const escaped = "$" in value;
    const inner = escaped ? [...path, "value"] : path;
    const items = Object.entries(value).map(([name, item]) => [name, encode(item, [...inner, name], encoding)] as const);
    return escaped ? { $: "object", value: Object.fromEntries(items) } : Object.fromEntries(items);
  } finally {
    above.delete(value);
  }
}

function encodeArray(data: TypedArray, shape: readonly number[], path: string[], { buffers, subject }: Encoding): unknown {
  const dtype = Object.entries(ARRAYS).find(([, type]) => data instanceof type)?.[0];
  if (dtype === undefined) throw unsettable(subject, path, data.constructor.name);
  buffers.push([[...path, "data"], new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
  return { $: "array", dtype, shape };
}

function decodeArray({ dtype, shape, data }: Readonly<Record<string, unknown>>): Value {
  const type = ARRAYS[dtype as keyof typeof ARRAYS];
  if (!(data instanceof Uint8Array) || type === undefined || !Array.isArray(shape)) {
    throw new IpyboxError("protocol_violation", `The kernel gave an array of the unknown type ${JSON.stringify(dtype)}.`);
  }
  // A copy is aligned; what was received need not be.
  const bytes = Uint8Array.from(data);
  const array = new type(bytes.buffer, 0, bytes.byteLength / type.BYTES_PER_ELEMENT);
  return shape.length === 1 ? array : new NdArray(array, shape.map(Number));
}

function decodeItems(items: Readonly<Record<string, unknown>>): { readonly [name: string]: Value } {
  return Object.fromEntries(Object.entries(items).map(([name, item]) => [name, decodeValue(item)]));
}

function unsettable(subject: string, path: readonly string[], what: string): IpyboxError {
  const place = path.slice(1).join(".");
  return new IpyboxError(
    "invalid_option",
    `${subject}${place === "" ? "" : ` at ${JSON.stringify(place)}`} is ${what}, which has no counterpart in Python. ` +
      "Allowed are JSON values, bigint, Date, Uint8Array (bytes), typed arrays and NdArray.",
    { details: { path: place, given: what } },
  );
}
