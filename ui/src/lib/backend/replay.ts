// Every screen in a browser, from recorded sessions of the simulator. `?state=` chooses what is so and commands move on
// from there; time stands still unless `?play` is given (`?play=20`: twenty times as fast). All of it is marked as
// simulated. `?service=off`, `approval`, `ready` or `silent` shows the helper's page as it is on a Mac.

import type { Backend } from "./backend";
import { BackendError } from "./backend";
import type { HelperView, LiveMessage, RunList, RunQuery, RunRow, SettingsView, Suite, SuiteEntry, UserSettings } from "./bindings";
import { detailOf, liveSample, phasesOf, RECORDINGS, reportOf, samplesOf } from "./recording";
import { holdClock } from "../clock";
import { MODELS, progressAt, silenceIn, snapshotOf, stateNamed, WITH_PHASES, type StateName } from "./states";

const DEFAULTS: UserSettings = {
  server_url: null,
  interval_ms: 250,
  monitor_interval_ms: 1000,
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
  welcomed: true,
};

const NO_SERVICE = { next: null, version: null, error: null, can_enable: false, can_open_settings: false, can_repair: false, can_remove: false };
const SERVICES: Record<string, HelperView["service"]> = {
  off: { ...NO_SERVICE, state: "off", title: "Not set up", detail: "macOS runs it only after you allowed it once.", can_enable: true },
  approval: {
    ...NO_SERVICE,
    state: "needs_approval",
    title: "Waiting for your approval",
    detail: "Its switch in Login Items & Extensions is off.",
    next: "Switch Joulebar on under Allow in the Background. An administrator has to confirm.",
    can_open_settings: true,
  },
  ready: { ...NO_SERVICE, state: "ready", title: "Ready", detail: "Version 0.1.0 answers.", version: "0.1.0", can_remove: true },
  silent: {
    ...NO_SERVICE,
    state: "failed",
    title: "Allowed, but it does not answer",
    detail: "The helper did not answer within 5 s.",
    next: "Register it anew. If that does not help, switch it off and on in Login Items & Extensions.",
    can_open_settings: true,
    can_repair: true,
    can_remove: true,
  },
};

/** A backend that shows recordings. */
export function makeReplay(query: URLSearchParams): Backend {
  let state = stateNamed(query.get("state"));
  const speed = query.has("play") ? Number(query.get("play")) || 1 : 0;
  let since = performance.now();
  const watchers = new Set<(message: LiveMessage) => void>();
  const count = Number(query.get("runs") ?? "15");
  let runs = state === "no_runs" || state === "welcome" ? [] : makeRuns(count);
  let settings: UserSettings = { ...DEFAULTS, welcomed: state !== "welcome" };
  let token: SettingsView["token"] = "none";
  const { full, quick } = RECORDINGS;
  const tokensOf = (suite: Suite): number[] =>
    suite.prompts.map((prompt) => full.prompts.find((run) => run.id === prompt.id)?.inference_stats.prompt_tokens ?? Math.ceil(prompt.prompt.length / 4));
  const entry = (suite: Suite, builtin = false): SuiteEntry => ({ suite, builtin, tokens: tokensOf(suite) });
  let suites: SuiteEntry[] = [entry(full.suite, true), entry({ ...full.suite, name: "Everyday prompts", description: "A copy of the standard suite." })];
  const report = (id: number): typeof full => (id % 5 === 4 ? quick : full);
  const row = (id: number): RunRow => {
    const found = runs.find((run) => run.id === id);
    if (!found) throw new BackendError("no_such_run", `There is no run ${id}.`);
    return found;
  };
  const view = (): SettingsView => ({
    settings,
    defaults: DEFAULTS,
    wrong:
      state === "wrong_settings"
        ? [{ key: "measurement.interval_ms", found: "5", allowed: "a whole number from 100 to 60000", used: "250" }]
        : [],
    path: "~/Library/Application Support/org.joulebar/settings.toml",
    problem: null,
    token,
  });
  /** All that is so now, with the last minute of samples. */
  const message = (): LiveMessage => {
    const { now, over } = progressAt(full, state, (performance.now() - since) * 1e6 * speed);
    if (over && (state === "running" || state === "stopping")) state = "finished";
    const newest = now - silenceIn(state);
    return {
      snapshot: { ...snapshotOf(state, now, runs.length), preset: settings.preset },
      samples: full.samples.filter((sample) => sample.end_ns <= newest && sample.end_ns > now - 60e9).map(liveSample),
      phases: WITH_PHASES.has(state) ? full.prompts.flatMap(phasesOf).filter((span) => span.start_ns < now) : [],
      now_ns: now,
    };
  };
  const done = async (): Promise<void> => {};
  const become = async (next: StateName): Promise<void> => {
    state = next;
    since = performance.now();
    for (const on of watchers) on(message());
  };
  // what recordings know of time is the day they were made
  holdClock(speed > 0 ? null : new Date(full.benchmark_id).getTime() + 10 * 60_000);
  return {
    replay: true,
    async watch(on) {
      watchers.add(on);
      on(message());
      const timer = speed > 0 ? setInterval(() => on(message()), 250) : undefined;
      return () => {
        watchers.delete(on);
        clearInterval(timer);
      };
    },
    startRun: async () => {
      const { blocked } = snapshotOf(state, 0, runs.length);
      if (blocked !== null) throw new BackendError("unavailable", blocked);
      await become("running");
    },
    stopRun: () => become(state === "stopping" || state === "starting" ? "stopped" : "stopping"),
    resumeRun: () => become("running"),
    dismissUnfinished: () => become("live"),
    dismissResult: () => become("live"),
    checkServer: done,
    restartPower: () => become("live"),
    loadModel: () => become("live"),
    openLmStudio: async () => {
      throw new BackendError("unavailable", "LM Studio can’t be opened from a recording.");
    },
    setDemo: done,
    listRuns: async (asked) => select(runs, asked),
    runDetail: async (id) => detailOf(report(id), row(id)),
    runSamples: async (id) => samplesOf(reportOf(report(id), row(id))),
    renameRun: async (id, name) => {
      const renamed = { ...row(id), name: name.trim() || null };
      runs = runs.map((run) => (run.id === id ? renamed : run));
    },
    deleteRuns: async (ids) => {
      runs = runs.filter((run) => !ids.includes(run.id));
    },
    exportRun: async () => false,
    exportLast: async () => false,
    copyMarkdown: done,
    listSuites: async () => suites,
    saveSuite: async (previous, suite) => {
      const saved = entry(suite);
      suites = [...suites.filter((other) => other.builtin || (other.suite.name !== previous && other.suite.name !== suite.name)), saved];
      return saved;
    },
    deleteSuite: async (name) => {
      suites = suites.filter((other) => other.builtin || other.suite.name !== name);
    },
    importSuite: async () => null,
    exportSuite: async () => false,
    estimateTokens: async (text) => Math.ceil(text.length / 4),
    getSettings: async () => view(),
    setSettings: async (next) => {
      settings = next;
      return view();
    },
    setToken: async (text) => (token = text === null ? "none" : "in_memory"),
    testConnection: async () =>
      state === "not_running"
        ? { ok: false, message: "No answer from localhost:1234.", next: "Open LM Studio and start its server in the Developer tab.", version: null, api: null, models: null, latency_ms: null }
        : { ok: true, message: "The simulated server answers.", next: null, version: full.server.app_version, api: full.server.api, models: MODELS.length, latency_ms: 3 },
    helperView: async () => ({
      name: full.power_source.name,
      version: full.power_source.helper_version,
      protocol: 1,
      interval_ms: full.power_source.requested_interval_ms,
      achieved_ms: full.achieved_interval_ms,
      samplers: full.power_source.samplers,
      samples: full.samples.length,
      simulated: true,
      path: null,
      service: SERVICES[query.get("service") ?? ""] ?? null,
      can_authorize: query.has("service"),
    }),
    wantHelper: async () => undefined,
    authorizePower: async () => undefined,
    diagnostics: async () => [
      { id: "helper", title: "Helper", result: "pass", detail: `Simulated helper ${full.power_source.helper_version ?? ""} answers.`, next: null },
      { id: "power", title: "Power readings", result: "pass", detail: "Samples arrive; they are simulated.", next: null },
      { id: "server", title: "LM Studio", result: state === "not_running" ? "fail" : "pass", detail: state === "not_running" ? "No answer from localhost:1234." : "A simulated server answers.", next: state === "not_running" ? "Open LM Studio and start its server in the Developer tab." : null },
      { id: "history", title: "History", result: "pass", detail: `${runs.length} runs.`, next: null },
      { id: "signature", title: "Code signature", result: "does_not_apply", detail: "A recording has none.", next: null },
      { id: "clock", title: "Clock", result: "unknown", detail: "A recording has no clock.", next: null },
    ],
    showWindow: async (route) => {
      location.hash = `#/${route}`;
    },
    hidePopover: done,
    resizePopover: done,
    quit: done,
    onRoute: async () => () => {},
    onCommand: async () => () => {},
  };
}

/** A history made of the recordings, an hour to some days apart. */
function makeRuns(count: number): RunRow[] {
  const { full, quick } = RECORDINGS;
  const newest = new Date(full.benchmark_id).getTime();
  const names = ["baseline", null, null, "after the update", null];
  return Array.from({ length: count }, (_, i) => {
    const id = count - i;
    const report = id % 5 === 4 ? quick : full;
    const started = new Date(newest - i * 5.3 * 3_600_000).toISOString();
    const { summary } = report;
    const cut = i === 2;
    return {
      id,
      started_at: started,
      name: names[i % names.length] ?? null,
      model: report.model,
      quantization: report.model_details.quantization,
      chip: report.environment.chip,
      prompts_done: cut ? 4 : summary.total_prompts,
      prompts_planned: summary.planned_prompts,
      net_energy_per_token_j: cut ? null : summary.net_energy_per_token_j,
      tokens_per_second: cut ? null : summary.avg_tokens_per_second,
      inference_power_mw: cut ? null : summary.avg_inference_power_mw,
      simulated: true,
      state: cut ? "interrupted" : "completed",
      end_reason: cut ? "interrupted" : "completed",
      tool_version: report.tool.version,
    };
  });
}

function select(runs: readonly RunRow[], query: RunQuery): RunList {
  const text = query.text?.toLowerCase() ?? "";
  const found = runs.filter((run) => [run.name, run.model, run.quantization, run.chip].some((part) => part?.toLowerCase().includes(text)) && (query.simulated === null || run.simulated === query.simulated));
  const key = (run: RunRow): string | number | null =>
    ({
      started: run.started_at,
      name: (run.name ?? run.model).toLowerCase(),
      model: run.model.toLowerCase(),
      net_energy_per_token: run.net_energy_per_token_j,
      tokens_per_second: run.tokens_per_second,
      inference_power: run.inference_power_mw,
    })[query.by];
  const sorted = [...found].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return (x < y ? -1 : x > y ? 1 : a.id - b.id) * (query.ascending ? 1 : -1);
  });
  return { rows: sorted.slice(query.offset, query.offset + query.limit), total: found.length };
}
