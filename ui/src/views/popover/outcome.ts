// The words of a run that has ended. Pure.
import type { Finished } from "../../lib/backend/bindings";
import { sentence } from "./problems";

/** How many notes are shown before they are counted. */
const NOTES_SHOWN = 3;

/** How far a run came that did not reach its end, and what else there is to say of it; `null` when there is nothing. */
export function endText(result: Finished): string | null {
  if (result.message !== null) return sentence(result.message);
  if (result.end_reason === "completed") return null;
  const kept = result.net_energy_per_token_j === null ? "Samples are kept, no figure is given." : "Samples are kept.";
  return `Stopped after ${result.done} of ${result.planned} prompts. ${kept}`;
}

/** Why there is no figure, with the reason as the report gives it. */
export function noFigure(reason: string | null): string {
  return reason === null ? "No figure." : `No figure: ${reason.trim().replace(/[^.!?]$/, "$&.")}`;
}

/** The notes under the figures, at most three, and how many are left out. */
export function notes(result: Finished): { shown: string[]; more: number } {
  const all = result.warnings.map((warning) => sentence(warning.message));
  if (result.net_energy_per_token_j !== null) all.unshift("One pass, no interval.");
  const different = [...new Set(all)];
  return { shown: different.slice(0, NOTES_SHOWN), more: Math.max(0, different.length - NOTES_SHOWN) };
}
