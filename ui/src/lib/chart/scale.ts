// The power axis: from 0, in steps of 1, 2 or 5, with three to five lines; the live chart has three.

const FACTORS = [1, 2, 5, 10, 20];
/** Half of the live axis may also be 3 of something: else 52 W would leave half of it empty. */
const LIVE_FACTORS = [1, 2, 3, 5, 10];

/** The three marks of a live axis that holds `highest` (milliwatts). */
export function liveMarks(highest: number): number[] {
  return marks(highest, 2, LIVE_FACTORS);
}

/** Marks of an axis that holds `highest` (milliwatts), in at most `most` steps; the last mark is its end. */
export function marks(highest: number, most = 4, factors: readonly number[] = FACTORS): number[] {
  const top = Number.isFinite(highest) && highest > 0 ? highest : 1000;
  const raw = top / (most - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  for (const factor of factors) {
    const step = factor * power;
    const lines = Math.ceil(top / step);
    if (lines <= most) return Array.from({ length: Math.max(2, lines) + 1 }, (_, i) => i * step);
  }
  return [0, top];
}

const STEPS_MS = [100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1200e3, 1800e3, 3600e3, 7200e3, 21_600e3];

/** Places on the time axis between `from` and `to`, in milliseconds, at least `pixels` apart on `width` pixels. */
export function times(from: number, to: number, width: number, pixels = 70): number[] {
  const span = to - from;
  if (!(span > 0) || width <= 0) return [];
  const step = STEPS_MS.find((step) => (step / span) * width >= pixels) ?? 86_400e3;
  const places: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) places.push(at);
  return places;
}
