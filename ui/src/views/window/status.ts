// What the foot of the sidebar says about the helper and the server: a dot and a few words each. Pure.

import type { PowerState, ServerState } from "../../lib/backend/bindings";

/** `good`: works; `bad`: does not, and something can be done; `none`: not known yet, or nothing there. */
export interface Status {
  dot: "good" | "bad" | "none";
  words: string;
}

/** The helper, by what its samples do. */
export function helperStatus(power: PowerState, simulated: boolean): Status {
  const name = simulated ? "Simulated helper" : "Helper";
  switch (power.state) {
    case "starting":
      return { dot: "none", words: `${name} starting` };
    case "live":
      return { dot: "good", words: `${name} running` };
    case "held":
      return { dot: "good", words: `${name} running` };
    case "stale":
      return { dot: "bad", words: `No new sample for ${Math.floor(power.age_s)}\u00a0s` };
    case "none":
      switch (power.reason) {
        case "helper_missing":
          return { dot: "none", words: "Helper not installed" };
        case "not_permitted":
          return { dot: "bad", words: "Helper not allowed" };
        case "protocol_mismatch":
          return { dot: "bad", words: "Helper out of date" };
        case "paused":
          return { dot: "none", words: "Readings paused" };
        case "unavailable":
        case "ended":
          return { dot: "bad", words: "No power readings" };
      }
  }
}

/** The server and the model it has loaded. */
export function serverStatus(server: ServerState): Status {
  switch (server.state) {
    case "checking":
      return { dot: "none", words: "LM Studio, checking\u2026" };
    case "not_running":
      return { dot: "none", words: "LM Studio not running" };
    case "token_needed":
    case "token_refused":
      return { dot: "bad", words: "LM Studio wants a token" };
    case "no_model":
      return { dot: "none", words: "LM Studio, no model" };
    case "failed":
      return { dot: "bad", words: "LM Studio, no answer" };
    case "ready": {
      const name = server.lm_studio ? "LM Studio" : "Server";
      return { dot: "good", words: `${name}, ${server.model.display_name ?? server.model.key}` };
    }
  }
}
