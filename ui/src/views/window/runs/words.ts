// What a row of the history says, and the axis that the rows share. Pure.

import type { RunRow } from "../../../lib/backend/bindings";

/** How a run ended, as the table says it. */
export function stateWords(row: RunRow): string {
  if (row.state === "running") return "Running";
  if (row.state === "completed") return "Completed";
  return "Interrupted";
}

/** A model's key without its publisher: what tells models apart in little room. */
export function shortModel(key: string): string {
  return key.split("/").at(-1) ?? key;
}

/** End of an axis from 0 that holds the highest of the figures, in J/token, and its marks. */
export function figureAxis(rows: readonly RunRow[]): number[] {
  let highest = 0;
  for (const row of rows) highest = Math.max(highest, row.net_energy_per_token_j ?? 0);
  if (highest <= 0) return [0, 0.5, 1];
  const power = 10 ** Math.floor(Math.log10(highest / 3));
  for (const factor of [1, 2, 4, 5, 10, 20]) {
    const step = factor * power;
    const lines = Math.ceil(highest / step - 1e-9);
    if (lines <= 4) return Array.from({ length: Math.max(2, lines) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
  }
  return [0, highest];
}

/** Why a row has no bar; null when it has one. A figure of another chip can't stand on the same axis. */
export function noBar(row: RunRow, chip: string | null): string | null {
  if (row.net_energy_per_token_j === null) return row.state === "running" ? "no figure yet" : "no figure";
  if (row.net_energy_per_token_j < 0) return "below idle";
  if (row.chip !== chip) return row.chip === null ? "chip not known" : `other chip (${row.chip})`;
  return null;
}

/** The chip of the newest run that is loaded: figures of the others stay off the axis. */
export function chipOf(rows: readonly RunRow[]): string | null {
  let newest: RunRow | undefined;
  for (const row of rows) if (row.chip !== null && (!newest || row.started_at > newest.started_at)) newest = row;
  return newest?.chip ?? null;
}
