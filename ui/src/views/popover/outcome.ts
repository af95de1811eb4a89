// The words of a run that has ended. Pure.
import type { EndReason, Finished } from "../../lib/backend/bindings";
import { sentence } from "./problems";

/** How many notes are shown before they are counted. */
const NOTES_SHOWN = 3;

const ENDS: Record<EndReason, string> = {
  completed: "Finished",
  interrupted: "Stopped",
  power_lost: "Power readings ended",
  server_lost: "LM Studio stopped answering",
  no_samples: "No power samples",
};

/** One or two words for how the run ended. */
export function endTitle(reason: EndReason): string {
  return ENDS[reason];
}

/** For a run that did not reach its end: how far it came and what that means for its figure. */
export function endText(result: Finished): string | null {
  if (result.end_reason === "completed") return result.message === null ? null : sentence(result.message);
  const came = `Stopped after ${result.done} of ${result.planned} prompts.`;
  const why = result.message === null ? "" : `${sentence(result.message)} `;
  const kept = result.net_energy_per_token_j === null ? " Samples are kept, no figure is given." : " Samples are kept.";
  return `${why}${came}${kept}`;
}

/** The notes under the figures, at most three, and how many are left out. */
export function notes(result: Finished): { shown: string[]; more: number } {
  const all = result.warnings.map((warning) => sentence(warning.message));
  if (result.net_energy_per_token_j !== null) all.unshift("One pass, no interval.");
  const different = [...new Set(all)];
  return { shown: different.slice(0, NOTES_SHOWN), more: Math.max(0, different.length - NOTES_SHOWN) };
}
