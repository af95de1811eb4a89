// Many samples in few pixel columns: the time-weighted mean of each column, so that the area stays the energy, and its
// highest sample. A column that holds a gap stays empty. Samples are summed in blocks once, so that a zoom over a
// million of them touches some thousand numbers.

import type { PowerColumns, Series } from "./columns";
import { firstAfter, SERIES } from "./columns";

/** A gap of this length and more is shown as one, in milliseconds. */
export const GAP_MS = 500;
const BLOCK = 16;

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
  /** Which series have a value anywhere. */
  readonly has: Record<Series, boolean>;
  /** Power times length of each series before a block, and the length that had a value; one entry more than blocks. */
  readonly sum: Record<Series, Float64Array>;
  readonly known: Record<Series, Float64Array>;
  /** Gaps before a block. */
  readonly gaps: Uint32Array;
  readonly low: Float32Array;
  readonly high: Float32Array;
}

const cache = new WeakMap<PowerColumns, Blocks>();

/** True when something of 0.5 s or more is missing before sample `i`. */
export function gapBefore(columns: PowerColumns, i: number): boolean {
  if (i === 0) return false;
  const end = (columns.start[i - 1] ?? 0) + (columns.span[i - 1] ?? 0);
  return (columns.start[i] ?? 0) - end >= GAP_MS;
}

function any(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (values[i] === values[i]) return true;
  return false;
}

/** Adds up power times length, and the length that had a value; `length` is that of whole blocks. */
function sumBlocks(values: Float32Array, span: Float32Array, length: Float64Array, sum: Float64Array, known: Float64Array): void {
  let [s, k] = [0, 0];
  for (let b = 0; b + 1 < sum.length; b++) {
    const from = b * BLOCK;
    const to = Math.min(values.length, from + BLOCK);
    let block = 0;
    for (let i = from; i < to; i++) block += (values[i] as number) * (span[i] as number);
    if (block === block) {
      s += block;
      k += length[b] as number;
    } else {
      // something is missing: count what is there
      for (let i = from; i < to; i++) {
        const value = values[i] as number;
        if (value !== value) continue;
        s += value * (span[i] as number);
        k += span[i] as number;
      }
    }
    sum[b + 1] = s;
    known[b + 1] = k;
  }
}

function makeBlocks(columns: PowerColumns): Blocks {
  const count = Math.ceil(columns.length / BLOCK);
  const each = <T>(make: (series: Series) => T): Record<Series, T> =>
    Object.fromEntries(SERIES.map((series) => [series, make(series)])) as Record<Series, T>;
  const blocks: Blocks = {
    has: each((series) => any(columns[series])),
    sum: each(() => new Float64Array(count + 1)),
    known: each(() => new Float64Array(count + 1)),
    gaps: new Uint32Array(count + 1),
    low: new Float32Array(count).fill(Number.NaN),
    high: new Float32Array(count).fill(Number.NaN),
  };
  const { start, span, soc } = columns;
  const length = new Float64Array(count);
  let [end, gaps] = [Infinity, 0];
  for (let b = 0; b < count; b++) {
    const to = Math.min(columns.length, (b + 1) * BLOCK);
    let [low, high, all] = [Infinity, -Infinity, 0];
    for (let i = b * BLOCK; i < to; i++) {
      const value = soc[i] as number;
      const begin = start[i] as number;
      if (value < low) low = value;
      if (value > high) high = value;
      if (begin - end >= GAP_MS) gaps += 1;
      const lasts = span[i] as number;
      end = begin + lasts;
      all += lasts;
    }
    length[b] = all;
    blocks.gaps[b + 1] = gaps;
    if (high >= low) {
      blocks.low[b] = low;
      blocks.high[b] = high;
    }
  }
  for (const series of SERIES) {
    if (blocks.has[series]) sumBlocks(columns[series], span, length, blocks.sum[series], blocks.known[series]);
  }
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

/** Which series have a value anywhere. */
export function seriesOf(columns: PowerColumns): Record<Series, boolean> {
  return blocksOf(columns).has;
}

/** Calls back for every gap before one of the samples from `first` to `last`, with its ends in milliseconds. */
export function eachGap(columns: PowerColumns, first: number, last: number, found: (from: number, to: number) => void): void {
  const { gaps } = blocksOf(columns);
  for (let i = first; i <= last; i++) {
    if (i % BLOCK === 0 && gaps[i / BLOCK] === gaps[i / BLOCK + 1]) i += BLOCK - 1;
    else if (gapBefore(columns, i)) found((columns.start[i - 1] ?? 0) + (columns.span[i - 1] ?? 0), columns.start[i] ?? 0);
  }
}

/** How many samples lie in a view, in milliseconds. */
export function samplesIn(columns: PowerColumns, from: number, to: number): number {
  return Math.max(0, firstAfter(columns, to) - firstAfter(columns, from));
}

interface Kept {
  readonly from: number;
  readonly to: number;
  readonly result: Decimated;
}
/** The last views of each table: several parts of a screen ask for the same one in a frame. */
const views = new WeakMap<PowerColumns, Kept[]>();
const VIEWS_KEPT = 4;

/**
 * Decimates the view from `from` to `to` (milliseconds) to `width` pixel columns; a sample counts in the column of its end.
 * Tables are never changed once they are drawn, so a view that was asked for before is answered with the same arrays.
 */
export function decimate(columns: PowerColumns, from: number, to: number, width: number): Decimated {
  const kept = views.get(columns) ?? [];
  const same = kept.find((view) => view.from === from && view.to === to && view.result.width === width);
  if (same) return same.result;
  const result = compute(columns, from, to, width);
  views.set(columns, [{ from, to, result }, ...kept.slice(0, VIEWS_KEPT - 1)]);
  return result;
}

function compute(columns: PowerColumns, from: number, to: number, width: number): Decimated {
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
  const firstBlock = Math.min(Math.ceil(begin / BLOCK), Math.floor(end / BLOCK));
  const lastBlock = Math.max(firstBlock, Math.floor(end / BLOCK));
  // samples before the first and after the last whole block; without a whole block all of them
  const [before, after] = lastBlock > firstBlock ? [firstBlock * BLOCK, lastBlock * BLOCK] : [end, end];
  if (blocks.gaps[firstBlock] !== blocks.gaps[lastBlock]) return;
  let [low, high] = [Infinity, -Infinity];
  for (let b = firstBlock; b < lastBlock; b++) {
    if ((blocks.low[b] as number) < low) low = blocks.low[b] as number;
    if ((blocks.high[b] as number) > high) high = blocks.high[b] as number;
  }
  for (let i = begin; i < end; i++) {
    if (i === before) i = after;
    if (i >= end) break;
    if (i > begin && gapBefore(columns, i)) return;
    const value = columns.soc[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const span = columns.span;
  for (const series of SERIES) {
    if (!blocks.has[series]) continue;
    const [values, sums, lengths] = [columns[series], blocks.sum[series], blocks.known[series]];
    let sum = (sums[lastBlock] as number) - (sums[firstBlock] as number);
    let known = (lengths[lastBlock] as number) - (lengths[firstBlock] as number);
    for (let i = begin; i < end; i++) {
      if (i === before) i = after;
      if (i >= end) break;
      const value = values[i] as number;
      if (value === value) {
        sum += value * (span[i] as number);
        known += span[i] as number;
      }
    }
    if (known > 0) result.mean[series][x] = sum / known;
  }
  if (high >= low) {
    result.low[x] = low;
    result.high[x] = high;
  }
}
