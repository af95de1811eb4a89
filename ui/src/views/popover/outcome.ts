// The words of a run that has ended. Pure.
import type { EndReason, Finished } from "../../lib/backend/bindings";
import { sentence } from "./problems";

/** How many notes are shown before they are counted. */
const NOTES_SHOWN = 3;

/** Why a run ended before its last prompt, where nothing closer is known. A stop by the user needs no reason. */
const REASONS: Record<EndReason, string | null> = {
  completed: null,
  interrupted: null,
  power_lost: "Power readings ended.",
  server_lost: "The server stopped answering.",
  no_samples: "No power sample came.",
};

/** For a run that did not reach its end: how far it came and what that means for its figure. */
export function endText(result: Finished): string | null {
  if (result.end_reason === "completed") return result.message === null ? null : sentence(result.message);
  const came = `Stopped after ${result.done} of ${result.planned} prompts.`;
  const reason = result.message === null ? REASONS[result.end_reason] : sentence(result.message);
  const why = reason === null ? "" : `${reason} `;
  const kept = result.net_energy_per_token_j === null ? " Samples are kept, no figure is given." : " Samples are kept.";
  return `${why}${came}${kept}`;
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
