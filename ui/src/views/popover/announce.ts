// What the live region says: a run started, a run ended. Nothing else is spoken by itself.
import type { Finished, RunStatus } from "../../lib/backend/bindings";

function ended(result: Finished): string {
  if (result.end_reason !== "completed") {
    return `Benchmark stopped after ${result.done} of ${result.planned} prompts.`;
  }
  const figure = result.net_energy_per_token_j;
  return figure === null
    ? "Benchmark finished, no figure available."
    : `Benchmark finished, ${figure.toFixed(3)} joules per token, net.`;
}

function started(status: RunStatus): boolean {
  return status.status === "starting" || status.status === "running";
}

/** The sentence for the change from one status to the next, or `null` when nothing is to be said. */
export function announcement(before: RunStatus | null, after: RunStatus): string | null {
  if (before === null) return null;
  if (started(after) && !started(before)) return "Benchmark started.";
  if (after.status === "finished" && started(before)) return ended(after.result);
  if (after.status === "failed" && started(before)) return `Benchmark failed. ${after.message}`;
  return null;
}
