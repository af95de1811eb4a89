// What the LM Studio page says about the address, the token and the models.

import type { ModelSummary, ServerState, TokenState } from "../../lib/backend/bindings";

/** Where the token is, in words. */
export const TOKEN_PLACE: Record<TokenState, string> = {
  none: "None is kept.",
  in_keychain: "Kept in your Keychain.",
  in_memory: "Kept in memory until Joulebar quits; there is no keychain here.",
};

/** Why an address can't be used, in one line; null when it can. Empty means LM Studio's own. Core has the last word. */
export function urlProblem(text: string): string | null {
  const plain = text.trim();
  if (plain === "") return null;
  const example = "An address like http://localhost:1234.";
  try {
    const url = new URL(plain.includes("://") ? plain : `http://${plain}`);
    if (url.protocol !== "http:") return `Only http is spoken. ${example}`;
    if (url.username !== "" || url.password !== "") return "Without a name or password. A token is kept below.";
    return url.hostname === "" ? example : null;
  } catch {
    return example;
  }
}

/** A model with the line that stands under its name. */
export interface ModelRow extends ModelSummary {
  line: string;
}

/** The models that the server named; the loaded ones first. */
export function modelsOf(server: ServerState): ModelRow[] {
  const models = server.state === "ready" ? [server.model] : server.state === "no_model" ? server.models : [];
  return models.map((model) => ({ ...model, line: modelLine(model) }));
}

function modelLine(model: ModelSummary): string {
  const loaded = model.loaded === null ? null : model.loaded ? "loaded" : "not loaded";
  return [model.quantization, model.format, loaded].filter((part) => part !== null && part !== "").join(", ");
}
