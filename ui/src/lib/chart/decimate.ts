// Many samples in few pixel columns: the time-weighted mean of each column, so that the area stays the energy, and its
// highest sample. A column that holds a gap stays empty. Samples are summed in blocks once, so that a zoom over a
// million of them touches some thousand numbers.

import type { PowerColumns, Series } from "./columns";
import { firstAfter, SERIES } from "./columns";

/** A gap of this length and more is shown as one, in milliseconds. */
export const GAP_MS = 500;
const BLOCK = 64;

/** One value a pixel column; NaN where nothing is known. */
export interface Decimated {
  readonly width: number;
  /** Time-weighted mean of each series, in milliwatts. */
  readonly mean: Record<Series, Float32Array>;
  /** Lowest and highest sample of the chip. */
  readonly low: Float32Array;
  readonly high: Float32Array;
}

interface Blocks {
  /** Power times length, summed over a block, for each series; the length that had a value. */
  readonly sum: Record<Series, Float64Array>;
  readonly known: Record<Series, Float64Array>;
  readonly low: Float32Array;
  readonly high: Float32Array;
  readonly gap: Uint8Array;
}

const cache = new WeakMap<PowerColumns, Blocks>();

/** True when something of 0.5 s or more is missing before sample `i`. */
export function gapBefore(columns: PowerColumns, i: number): boolean {
  if (i === 0) return false;
  const end = (columns.start[i - 1] ?? 0) + (columns.span[i - 1] ?? 0);
  return (columns.start[i] ?? 0) - end >= GAP_MS;
}

/** Adds up power times length, and the length that had a value, over each block. */
function sumBlocks(values: Float32Array, span: Float32Array, sum: Float64Array, known: Float64Array, length: Float64Array): void {
  for (let b = 0; b < sum.length; b++) {
    const to = Math.min(values.length, (b + 1) * BLOCK);
    let s = 0;
    for (let i = b * BLOCK; i < to; i++) s += (values[i] as number) * (span[i] as number);
    if (s === s) {
      sum[b] = s;
      known[b] = length[b] as number;
      continue;
    }
    // something is missing: count what is there
    let k = 0;
    s = 0;
    for (let i = b * BLOCK; i < to; i++) {
      const value = values[i] as number;
      if (value !== value) continue;
      s += value * (span[i] as number);
      k += span[i] as number;
    }
    sum[b] = s;
    known[b] = k;
  }
}

function makeBlocks(columns: PowerColumns): Blocks {
  const count = Math.ceil(columns.length / BLOCK);
  const table = (): Record<Series, Float64Array> =>
    Object.fromEntries(SERIES.map((series) => [series, new Float64Array(count)])) as Record<Series, Float64Array>;
  const blocks: Blocks = {
    sum: table(),
    known: table(),
    low: new Float32Array(count).fill(Number.NaN),
    high: new Float32Array(count).fill(Number.NaN),
    gap: new Uint8Array(count),
  };
  const { start, span, soc } = columns;
  const length = new Float64Array(count);
  let end = Infinity;
  for (let b = 0; b < count; b++) {
    const to = Math.min(columns.length, (b + 1) * BLOCK);
    let [low, high, gap, all] = [Infinity, -Infinity, 0, 0];
    for (let i = b * BLOCK; i < to; i++) {
      const value = soc[i] as number;
      const begin = start[i] as number;
      const lasts = span[i] as number;
      if (value < low) low = value;
      if (value > high) high = value;
      if (begin - end >= GAP_MS) gap = 1;
      end = begin + lasts;
      all += lasts;
    }
    blocks.gap[b] = gap;
    length[b] = all;
    if (high >= low) {
      blocks.low[b] = low;
      blocks.high[b] = high;
    }
  }
  for (const series of SERIES) sumBlocks(columns[series], span, blocks.sum[series], blocks.known[series], length);
  return blocks;
}

function blocksOf(columns: PowerColumns): Blocks {
  let blocks = cache.get(columns);
  if (!blocks) {
    blocks = makeBlocks(columns);
    cache.set(columns, blocks);
  }
  return blocks;
}

/** Calls back for every gap before one of the samples from `first` to `last`, with its ends in milliseconds. */
export function eachGap(columns: PowerColumns, first: number, last: number, found: (from: number, to: number) => void): void {
  const { gap } = blocksOf(columns);
  for (let i = first; i <= last; i++) {
    if (i % BLOCK === 0 && gap[i / BLOCK] === 0) i += BLOCK - 1;
    else if (gapBefore(columns, i)) found((columns.start[i - 1] ?? 0) + (columns.span[i - 1] ?? 0), columns.start[i] ?? 0);
  }
}

/** How many samples lie in a view, in milliseconds. */
export function samplesIn(columns: PowerColumns, from: number, to: number): number {
  return Math.max(0, firstAfter(columns, to) - firstAfter(columns, from));
}

/** Decimates the view from `from` to `to` (milliseconds) to `width` pixel columns; a sample counts in the column of its middle. */
export function decimate(columns: PowerColumns, from: number, to: number, width: number): Decimated {
  const missing = (): Float32Array => new Float32Array(width).fill(Number.NaN);
  const mean = Object.fromEntries(SERIES.map((series) => [series, missing()])) as Record<Series, Float32Array>;
  const result: Decimated = { width, mean, low: missing(), high: missing() };
  if (columns.length === 0 || width <= 0 || to <= from) return result;
  const blocks = blocksOf(columns);
  const perColumn = (to - from) / width;
  let i = firstAfter(columns, from);
  for (let x = 0; x < width; x++) {
    const begin = i;
    const end = x === width - 1 ? firstAfter(columns, to) : firstAfter(columns, from + (x + 1) * perColumn);
    i = Math.max(i, end);
    if (i <= begin) continue;
    fill(columns, blocks, begin, i, x, result);
  }
  return result;
}

function fill(columns: PowerColumns, blocks: Blocks, begin: number, end: number, x: number, result: Decimated): void {
  const firstBlock = Math.ceil(begin / BLOCK);
  const lastBlock = Math.max(firstBlock, Math.floor(end / BLOCK));
  const direct: [number, number][] =
    lastBlock > firstBlock ? [[begin, firstBlock * BLOCK], [lastBlock * BLOCK, end]] : [[begin, end]];
  let [low, high] = [Infinity, -Infinity];
  for (let b = firstBlock; b < lastBlock; b++) {
    if (blocks.gap[b] === 1) return;
    if ((blocks.low[b] as number) < low) low = blocks.low[b] as number;
    if ((blocks.high[b] as number) > high) high = blocks.high[b] as number;
  }
  for (const [from, to] of direct) {
    for (let i = from; i < to; i++) {
      if (i > begin && gapBefore(columns, i)) return;
      const value = columns.soc[i] as number;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  for (const series of SERIES) {
    const [values, span] = [columns[series], columns.span];
    let [sum, known] = [0, 0];
    for (let b = firstBlock; b < lastBlock; b++) {
      sum += blocks.sum[series][b] as number;
      known += blocks.known[series][b] as number;
    }
    for (const [from, to] of direct) {
      for (let i = from; i < to; i++) {
        const value = values[i] as number;
        if (value === value) {
          sum += value * (span[i] as number);
          known += span[i] as number;
        }
      }
    }
    if (known > 0) result.mean[series][x] = sum / known;
  }
  if (high >= low) {
    result.low[x] = low;
    result.high[x] = high;
  }
}
