// What of a run the timeline shows, and what stands under its cursor. Pure; times are milliseconds on the session's clock.

import { firstAfter, SERIES, type PowerColumns, type Series } from "../../../lib/chart/columns";
import { GAP_MS } from "../../../lib/chart/decimate";

/** A stretch of time. */
export interface Range {
  from: number;
  to: number;
}

/** Shortest stretch that can be looked at. */
const SHORTEST_MS = 1000;

/** From the first sample to the end of the last; an empty table has a stretch of nothing. */
export function wholeOf(columns: PowerColumns): Range {
  const last = columns.length - 1;
  if (last < 0) return { from: 0, to: 0 };
  return { from: columns.start[0] ?? 0, to: (columns.start[last] ?? 0) + (columns.span[last] ?? 0) };
}

/** Keeps a view inside the run and not shorter than can be read. */
export function clamp(view: Range, whole: Range): Range {
  const length = Math.min(whole.to - whole.from, Math.max(SHORTEST_MS, view.to - view.from));
  const middle = (view.from + view.to) / 2;
  const from = Math.max(whole.from, Math.min(whole.to - length, view.to - view.from < SHORTEST_MS ? middle - length / 2 : view.from));
  return { from, to: from + length };
}

/** Nearer or farther, with one instant kept in its place. */
export function zoom(view: Range, factor: number, at: number): Range {
  return { from: at - (at - view.from) * factor, to: at + (view.to - at) * factor };
}

export function pan(view: Range, ms: number): Range {
  return { from: view.from + ms, to: view.to + ms };
}

/** What is under the cursor: means over a pixel column, or one sample, or a gap. */
export type Under =
  | { kind: "gap"; ms: number; length: number }
  | { kind: "power"; ms: number; mean: Record<Series, number | null>; samples: number; highest: number | null };

/** Reads the pixel column of `width` that holds `ms`. Null where the run has no samples at all. */
export function under(columns: PowerColumns, view: Range, width: number, ms: number): Under | null {
  if (columns.length === 0 || width <= 0) return null;
  const step = (view.to - view.from) / width;
  const begin = view.from + Math.floor((ms - view.from) / step) * step;
  let first = firstAfter(columns, begin);
  let last = firstAfter(columns, begin + step);
  if (last - first < 2) {
    first = firstAfter(columns, ms);
    last = first + 1;
  }
  if (first >= columns.length) return null;
  const start = columns.start[first] ?? 0;
  if (last - first === 1 && start > ms) {
    if (first === 0) return null;
    const end = (columns.start[first - 1] ?? 0) + (columns.span[first - 1] ?? 0);
    if (start - end >= GAP_MS) return { kind: "gap", ms, length: start - end };
  }
  last = Math.min(last, columns.length);
  const mean = Object.fromEntries(SERIES.map((series) => [series, meanOf(columns, series, first, last)])) as Record<Series, number | null>;
  let highest: number | null = null;
  for (let i = first; i < last; i++) {
    const value = columns.soc[i] ?? Number.NaN;
    if (!Number.isNaN(value) && (highest === null || value > highest)) highest = value;
  }
  return { kind: "power", ms: last - first === 1 ? start + (columns.span[first] ?? 0) / 2 : begin + step / 2, mean, samples: last - first, highest };
}

function meanOf(columns: PowerColumns, series: Series, first: number, last: number): number | null {
  let [sum, known] = [0, 0];
  for (let i = first; i < last; i++) {
    const value = columns[series][i] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    sum += value * (columns.span[i] ?? 0);
    known += columns.span[i] ?? 0;
  }
  return known > 0 ? sum / known : null;
}

/** Label, place and width of what is written along the strip; those that would touch are left out. */
export function spaced<T extends { at: number; text: string }>(marks: readonly T[], perLetter: number, right: number): T[] {
  let free = -Infinity;
  return marks.filter((mark) => {
    const end = mark.at + mark.text.length * perLetter;
    if (mark.at < free || end > right) return false;
    free = end + 6;
    return true;
  });
}
