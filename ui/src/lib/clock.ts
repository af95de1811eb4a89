// The page's wall clock. A recording that stands still holds it, so that every picture of it is the same.

let held: number | null = null;

/** Now, or the instant at which a recording stands still. */
export function now(): Date {
  return new Date(held ?? Date.now());
}

/** Holds the clock at an instant in milliseconds since 1970; null lets it go. */
export function holdClock(instant: number | null): void {
  held = instant;
}
