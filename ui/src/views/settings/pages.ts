// The settings pages: where they are, how they are called, and the settings each one can restore.

import type { SettingKey } from "./form.svelte";

export interface Page {
  id: "general" | "measurement" | "lm-studio" | "helper" | "cost" | "diagnostics";
  title: string;
  sub: string;
}

export const PAGES: readonly Page[] = [
  { id: "general", title: "General", sub: "Menu bar, login, history" },
  {
    id: "measurement",
    title: "Measurement",
    sub: "Applies to the next run. Runs keep the values they were made with.",
  },
  { id: "lm-studio", title: "LM Studio", sub: "Where Joulebar sends prompts" },
  { id: "helper", title: "Helper", sub: "The only part of Joulebar that needs administrator rights" },
  { id: "cost", title: "Cost and CO₂", sub: "Your rates, kept on this computer" },
  { id: "diagnostics", title: "Diagnostics", sub: "What to look at when a figure seems wrong" },
];

/** What Restore Defaults of the Measurement page puts back. */
export const MEASUREMENT_KEYS: readonly SettingKey[] = [
  "interval_ms",
  "monitor_interval_ms",
  "baseline_s",
  "cooldown_s",
  "nonce",
  "preset",
];

/** The page of a route's last part ("general"); General for any other. */
export function pageOf(id: string): Page {
  const plain = id.replace(/[^a-z]/g, "");
  const found = PAGES.find((page) => page.id.replace("-", "") === plain);
  return found ?? { id: "general", title: "General", sub: "Menu bar, login, history" };
}
