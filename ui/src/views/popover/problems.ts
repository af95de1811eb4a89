// What stands between the user and a run, in words, with the buttons that fix it.
// Pure: a snapshot in, problems out. The popover draws them and performs their actions.
import type { PowerProblem, PowerState, ServerState, Snapshot } from "../../lib/backend/bindings";

/** What a button of a problem does; the popover maps each to one call of the backend. */
export type Action =
  | "restart_power"
  | "helper_settings"
  | "server_settings"
  | "open_lm_studio"
  | "check_server"
  | "choose_model";

export interface ProblemButton {
  label: string;
  action: Action;
}

/** One problem: a title, a sentence that says what to do, and one or two buttons. */
export interface Problem {
  /** `warn`: something is wrong. `info`: a choice is missing. */
  tone: "warn" | "info";
  title: string;
  text: string;
  buttons: [ProblemButton, ...ProblemButton[]];
}

const RESTART: ProblemButton = { label: "Try Again", action: "restart_power" };
const HELPER: ProblemButton = { label: "Open Helper Settings", action: "helper_settings" };
const CHECK: ProblemButton = { label: "Try Again", action: "check_server" };
const TOKEN: ProblemButton = { label: "Open Settings", action: "server_settings" };

const TITLES: Record<PowerProblem, string> = {
  helper_missing: "Power can’t be read",
  not_permitted: "Allow the helper to read power",
  protocol_mismatch: "The helper and the app don’t match",
  unavailable: "No power readings",
  ended: "Power readings ended",
  paused: "Power readings are paused",
};

const REASONS: Record<PowerProblem, string> = {
  helper_missing: "Helper not installed",
  not_permitted: "Helper not approved",
  protocol_mismatch: "Helper doesn’t match",
  unavailable: "Not available",
  ended: "Readings ended",
  paused: "Paused",
};

/** Why the large figure is a dash, or whose power it is: the words to its right. */
export function powerCaption(power: PowerState): string {
  switch (power.state) {
    case "starting":
      return "Checking…";
    case "live":
      return power.reading.scope;
    case "held":
      return `held, ${power.age_s.toFixed(1)}\u00a0s old`;
    case "stale":
      return `No new sample for ${Math.floor(power.age_s)}\u00a0s`;
    case "none":
      return REASONS[power.reason];
  }
}

/** The server's address as people know it: `localhost:1234`. */
export function host(url: string): string {
  return url.replace(/^[a-z]+:\/\//i, "").replace(/\/.*$/, "");
}

/** The first letter made large and a full stop added, for sentences that come from messages. */
export function sentence(message: string): string {
  const text = message.trim();
  if (text === "") return "";
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** The problem of the power source; `null` while it gives readings or is starting. */
export function powerProblem(power: PowerState): Problem | null {
  if (power.state === "stale") {
    return {
      tone: "warn",
      title: "No power readings",
      text: `No sample for ${Math.floor(power.age_s)}\u00a0s.`,
      buttons: [{ label: "Restart Helper", action: "restart_power" }],
    };
  }
  if (power.state !== "none") return null;
  return {
    tone: power.reason === "paused" ? "info" : "warn",
    title: TITLES[power.reason],
    text: sentence(power.message),
    buttons: power.reason === "paused" || power.reason === "ended" ? [RESTART] : [RESTART, HELPER],
  };
}

/** The problem of the server; `null` when a model is loaded or it is still being asked. */
export function serverProblem(server: ServerState): Problem | null {
  switch (server.state) {
    case "checking":
    case "ready":
      return null;
    case "not_running":
      return {
        tone: "warn",
        title: "LM Studio isn’t running",
        text: `No answer from ${host(server.url)}. Open LM Studio and start its server in the Developer tab.`,
        buttons: [{ label: "Open LM Studio", action: "open_lm_studio" }, CHECK],
      };
    case "token_needed":
      return {
        tone: "info",
        title: "LM Studio asks for a token",
        text: "Add it in Settings, LM Studio.",
        buttons: [TOKEN, CHECK],
      };
    case "token_refused":
      return {
        tone: "warn",
        title: "LM Studio refused the token",
        text: "Change it in Settings, LM Studio.",
        buttons: [TOKEN, CHECK],
      };
    case "no_model":
      return {
        tone: "info",
        title: "No model loaded",
        text: "LM Studio is running without a model. Choose one here, or load it in LM Studio.",
        buttons: [{ label: "Choose Model…", action: "choose_model" }],
      };
    case "failed":
      return {
        tone: "warn",
        title: "LM Studio can’t be used",
        text: sentence(server.message),
        buttons: [CHECK, TOKEN],
      };
  }
}

/** All problems, power first. Empty when a run can start, as far as the snapshot knows. */
export function problems(snapshot: Snapshot): Problem[] {
  return [powerProblem(snapshot.power), serverProblem(snapshot.server)].filter((found) => found !== null);
}
