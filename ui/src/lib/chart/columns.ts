// Power samples as columns of numbers: what charts and decimation work on. NaN is a missing value.

import type { LiveSample } from "../backend/bindings";

/** Rails in the order in which they are stacked, from below; then the two lines. */
export const RAILS = ["gpu", "cpu", "ane", "dram"] as const;
export type Rail = (typeof RAILS)[number];
export type Series = Rail | "soc" | "system";
export const SERIES: readonly Series[] = [...RAILS, "soc", "system"];

/** Samples, oldest first. Times are milliseconds on the session's clock, powers are milliwatts. */
export type PowerColumns = {
  readonly length: number;
  /** Starts of the samples. */
  readonly start: Float64Array;
  /** Measured lengths. */
  readonly span: Float32Array;
} & { readonly [S in Series]: Float32Array };

const MAGIC = 0x4a424c31;
/** Order of the series in the file. */
const STORED: readonly Series[] = ["cpu", "gpu", "ane", "dram", "soc", "system"];

/** Columns of `n` samples, all missing. */
export function emptyColumns(n: number): PowerColumns {
  const missing = (): Float32Array => new Float32Array(n).fill(Number.NaN);
  return {
    length: n,
    start: new Float64Array(n),
    span: new Float32Array(n),
    gpu: missing(),
    cpu: missing(),
    ane: missing(),
    dram: missing(),
    soc: missing(),
    system: missing(),
  };
}

/** Reads the binary form that the shell sends. Throws a RangeError for anything else. */
export function decodeColumns(buffer: ArrayBuffer): PowerColumns {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new RangeError("not a table of samples");
  const n = view.getUint32(4, true);
  if (buffer.byteLength !== 8 + n * (8 + 7 * 4)) throw new RangeError("a table of samples that is not whole");
  let offset = 8 + n * 8;
  const next = (): Float32Array => {
    const column = new Float32Array(buffer, offset, n);
    offset += n * 4;
    return column;
  };
  const start = new Float64Array(buffer, 8, n);
  const span = next();
  const stored = Object.fromEntries(STORED.map((series) => [series, next()])) as Record<Series, Float32Array>;
  return { length: n, start, span, ...stored };
}

/** The binary form of columns, as the shell sends it. */
export function encodeColumns(columns: PowerColumns): ArrayBuffer {
  const n = columns.length;
  const buffer = new ArrayBuffer(8 + n * (8 + 7 * 4));
  const view = new DataView(buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, n, true);
  new Float64Array(buffer, 8, n).set(columns.start);
  [columns.span, ...STORED.map((series) => columns[series])].forEach((column, index) => {
    new Float32Array(buffer, 8 + n * 8 + index * n * 4, n).set(column);
  });
  return buffer;
}

/** Columns of live samples. */
export function columnsOf(samples: readonly LiveSample[]): PowerColumns {
  const columns = emptyColumns(samples.length);
  samples.forEach((sample, i) => {
    columns.start[i] = sample.start_ns / 1e6;
    columns.span[i] = (sample.end_ns - sample.start_ns) / 1e6;
    for (const series of SERIES) columns[series][i] = sample[`${series}_mw`] ?? Number.NaN;
  });
  return columns;
}

/** Index of the first sample that ends after `ms`. */
export function firstAfter(columns: PowerColumns, ms: number): number {
  let [low, high] = [0, columns.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((columns.start[middle] ?? 0) + (columns.span[middle] ?? 0) > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}
