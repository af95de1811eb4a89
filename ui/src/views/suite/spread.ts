// How far the lengths of a suite's prompts and answers go together, and where they stand in the plot.
// Prefill and decode cost are told apart by their lengths; that fails when long prompts always have long answers.

/** Correlations from this on, of either sign, make prefill and decode cost hard to tell apart. */
export const COUPLED = 0.8;

/** One prompt: estimated tokens of the question, limit of the answer; both 1 or more. */
export interface Lengths {
  label: string;
  tokensIn: number;
  maxOut: number;
}

export type Spread = { kind: "well" | "coupled"; correlation: number } | { kind: "unknown"; reason: string };

/** Pearson's correlation, −1 to 1; null with fewer than three pairs or when one side never varies. */
export function correlation(x: readonly number[], y: readonly number[]): number | null {
  const n = Math.min(x.length, y.length);
  if (n < 3) return null;
  const mean = (values: readonly number[]) => values.slice(0, n).reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [(x[i] ?? mx) - mx, (y[i] ?? my) - my];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  if (xx === 0 || yy === 0) return null;
  return xy / Math.sqrt(xx * yy);
}

/** What the lengths of the suite allow; `unknown` says why in words. */
export function spread(points: readonly Lengths[]): Spread {
  if (points.length < 3) return { kind: "unknown", reason: "Three prompts are the least that can be compared." };
  const value = correlation(
    points.map((point) => point.tokensIn),
    points.map((point) => point.maxOut),
  );
  if (value === null) return { kind: "unknown", reason: "All prompts or all answers have the same length." };
  return { kind: Math.abs(value) < COUPLED ? "well" : "coupled", correlation: value };
}

/** A logarithmic axis: `at` gives the place of a value in px, ticks are powers of two. */
export interface Axis {
  ticks: number[];
  at: (value: number) => number;
}

/** An axis over `values` from `from` to `to` px, with about three ticks; the lowest tick lies on or under the lowest value. */
export function logAxis(values: readonly number[], from: number, to: number): Axis {
  const logs = values.filter((value) => value > 0).map(Math.log2);
  const least = logs.length === 0 ? 5 : Math.min(...logs);
  const most = logs.length === 0 ? 10 : Math.max(...logs);
  const low = Math.floor(least - 0.5);
  const high = Math.max(most + 0.5, low + 2);
  const step = Math.max(1, Math.ceil((high - low) / 3 - 0.2));
  const ticks: number[] = [];
  for (let power = low; power <= high; power += step) ticks.push(2 ** power);
  return {
    ticks: ticks.filter((tick) => tick >= 1),
    at: (value) => from + ((Math.log2(Math.max(value, 1)) - low) / (high - low)) * (to - from),
  };
}

/** A dot and its label; the label is null where it would touch another. */
export interface Mark {
  x: number;
  y: number;
  label: { text: string; x: number; anchor: "start" | "end" } | null;
  index: number;
}

/** Places the dots and drops labels before they touch; the chosen prompt's label is placed first. */
export function marks(points: readonly Lengths[], x: Axis, y: Axis, right: number, chosen: number): Mark[] {
  const taken: { left: number; right: number; top: number; bottom: number }[] = [];
  const dots = points.map((point, index) => ({
    x: x.at(point.tokensIn),
    y: y.at(point.maxOut),
    index,
    text: point.label,
  }));
  for (const dot of dots) taken.push({ left: dot.x - 3, right: dot.x + 3, top: dot.y - 3, bottom: dot.y + 3 });
  const placed = new Map<number, Mark["label"]>();
  const order = [...dots].sort((a, b) => Number(b.index === chosen) - Number(a.index === chosen));
  for (const dot of order) {
    const width = dot.text.length * 6.5;
    const sides = [
      { anchor: "start" as const, at: dot.x + 6, left: dot.x + 6 },
      { anchor: "end" as const, at: dot.x - 6, left: dot.x - 6 - width },
    ];
    const free = sides.find(({ left }) => {
      const box = { left, right: left + width, top: dot.y - 5, bottom: dot.y + 5 };
      const clear = taken.every(
        (other) =>
          other.right <= box.left || other.left >= box.right || other.bottom <= box.top || other.top >= box.bottom,
      );
      return clear && box.right <= right && box.left >= 0;
    });
    placed.set(dot.index, free ? { text: dot.text, x: free.at, anchor: free.anchor } : null);
    if (free) taken.push({ left: free.left, right: free.left + width, top: dot.y - 5, bottom: dot.y + 5 });
  }
  return dots.map((dot) => ({ x: dot.x, y: dot.y, index: dot.index, label: placed.get(dot.index) ?? null }));
}
