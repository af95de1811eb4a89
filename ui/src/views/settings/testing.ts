// What tests of the forms share: settings as core gives them without a file.

import type { SettingsView, Snapshot, UserSettings } from "../../lib/backend/bindings";

export const defaults: UserSettings = {
  server_url: null,
  interval_ms: 250,
  monitor_interval_ms: 1_000,
  baseline_s: 10,
  cooldown_s: 10,
  nonce: true,
  keep_history: true,
  suite: null,
  preset: "full",
  menu_bar: "watts",
  smoothing_s: 1,
  milliwatts_below_1w: true,
  launch_at_login: false,
  open_window_at_start: false,
  notify_when_finished: true,
  price_per_kwh: null,
  currency: "EUR",
  co2_g_per_kwh: null,
  welcomed: false,
};

/** Settings of a file without keys. */
export const view: SettingsView = {
  settings: defaults,
  defaults,
  wrong: [],
  path: "/home/user/.config/joulebar/settings.toml",
  problem: null,
  token: "none",
};

/** A quiet computer: power is read, LM Studio has a model, nothing was run yet. */
export const snapshot: Snapshot = {
  demo: false,
  has_demo: true,
  simulated: false,
  power: { state: "starting" },
  server: {
    state: "ready",
    url: "http://localhost:1234",
    model: {
      key: "qwen3-8b",
      display_name: "Qwen3 8B",
      quantization: "4-bit",
      format: "MLX",
      bits_per_weight: 4,
      size_bytes: 4.6e9,
      context_length: 4_096,
      loaded: true,
    },
    others_loaded: [],
    lm_studio: true,
    version: "0.4.25",
    simulated: false,
  },
  run: { status: "idle" },
  can_run: true,
  blocked: null,
  last: null,
  unfinished: null,
  history: { count: 0, writable: true, notice: null },
  preset: "full",
  estimate: "9 prompts, 1 pass. About 6 min.",
};
