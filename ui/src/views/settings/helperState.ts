// What the Helper page says about the power source, from the live state and the helper's own facts.

import { count, seconds } from "../../lib/format";
import type { HelperView, PowerState } from "../../lib/backend/bindings";

/** Title and line of the helper card. `tone` picks the shape: shield, shield in green, triangle, triangle in red. */
export interface HelperCard {
  tone: "plain" | "good" | "warn" | "bad";
  title: string;
  line: string;
}

/** What is missing in the live reading, with its reason and its age; null when nothing is. */
export function missingLine(power: PowerState): string | null {
  if (power.state !== "live" && power.state !== "held") return null;
  const missing = power.reading.missing;
  return missing ? `${missing.rails}: — for ${count(Math.floor(missing.age_s))}\u00a0s. ${missing.reason}` : null;
}

/** The card for a state; `facts` are null until they were read. */
export function helperCard(power: PowerState, facts: HelperView | null): HelperCard {
  const version = versionLine(facts);
  switch (power.state) {
    case "starting":
      return { tone: "plain", title: "Starting", line: version || "Waiting for the first sample." };
    case "live":
      return {
        tone: "good",
        title: facts?.simulated ? "Running, simulated" : "Running",
        line: join(version, simulator(facts)),
      };
    case "held":
      return { tone: "good", title: "Running", line: join(version, `Last sample ${seconds(power.age_s)} ago.`) };
    case "stale":
      return { tone: "bad", title: "No samples", line: `No new sample for ${count(Math.floor(power.age_s))}\u00a0s.` };
    case "none":
      return { ...problem(power.reason), line: power.message };
  }
}

function problem(reason: Extract<PowerState, { state: "none" }>["reason"]): Omit<HelperCard, "line"> {
  switch (reason) {
    case "helper_missing":
      return { tone: "plain", title: "Not found" };
    case "not_permitted":
      return { tone: "warn", title: "Not allowed to read power" };
    case "protocol_mismatch":
      return { tone: "warn", title: "Of another version than the app" };
    case "unavailable":
      return { tone: "plain", title: "No power readings on this computer" };
    case "ended":
      return { tone: "bad", title: "Ended" };
    case "paused":
      return { tone: "plain", title: "Paused" };
  }
}

/** "Version 1.0.0, protocol 1."; empty while nothing is known. */
function versionLine(facts: HelperView | null): string {
  if (facts === null) return "";
  return facts.version === null
    ? `Protocol ${facts.protocol}.`
    : `Version ${facts.version}, protocol ${facts.protocol}.`;
}

function simulator(facts: HelperView | null): string {
  return facts?.simulated ? "It runs a simulator in place of powermetrics." : "";
}

function join(...parts: string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
