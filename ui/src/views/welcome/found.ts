// What the first page says about LM Studio, from the live state.

import type { ServerState } from "../../lib/backend/bindings";

export interface Found {
  tone: "good" | "warn" | "plain";
  title: string;
  line: string;
  /** The button that helps; null when nothing is to do. */
  action: "open" | "token" | null;
}

/** The card of the first page for a state of the server. */
export function found(server: ServerState): Found {
  const at = server.url.replace(/^https?:\/\//, "");
  switch (server.state) {
    case "checking":
      return { tone: "plain", title: "Checking…", line: `Asking ${at}.`, action: null };
    case "ready": {
      const name = server.model.display_name ?? server.model.key;
      const maker = server.lm_studio
        ? `LM Studio${server.version === null ? "" : ` ${server.version}`}`
        : "A server that speaks LM Studio’s language";
      return {
        tone: "good",
        title: server.simulated ? "LM Studio found, simulated" : "LM Studio found",
        line: `${maker} answers at ${at}. ${name} is loaded.`,
        action: null,
      };
    }
    case "no_model":
      return {
        tone: "good",
        title: "LM Studio found",
        line: "No model is loaded. Load one in LM Studio before the first run.",
        action: null,
      };
    case "not_running":
      return {
        tone: "warn",
        title: "LM Studio isn’t running",
        line: `No answer from ${at}. Open LM Studio and start its server in the Developer tab.`,
        action: "open",
      };
    case "token_needed":
      return {
        tone: "warn",
        title: "LM Studio asks for a token",
        line: "Add it in Settings, LM Studio.",
        action: "token",
      };
    case "token_refused":
      return {
        tone: "warn",
        title: "LM Studio refused the token",
        line: "Replace it in Settings, LM Studio.",
        action: "token",
      };
    case "failed":
      return { tone: "warn", title: "LM Studio can’t be asked", line: server.message, action: null };
  }
}
