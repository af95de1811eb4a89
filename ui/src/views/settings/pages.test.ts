import { fireEvent, render, screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { connect, type Backend } from "../../lib/backend";
import type {
  CheckRow,
  HelperView,
  HelperWish,
  LastResult,
  ServerState,
  ServiceView,
  SettingsView,
  UserSettings,
} from "../../lib/backend/bindings";
import Cost from "./Cost.svelte";
import Diagnostics from "./Diagnostics.svelte";
import General from "./General.svelte";
import Helper from "./Helper.svelte";
import LmStudio from "./LmStudio.svelte";
import Measurement from "./Measurement.svelte";
import WrongFile from "./WrongFile.svelte";
import { SettingsForm } from "./form.svelte";
import { defaults, view } from "./testing";

const helper: HelperView = {
  name: "joulebar-helper",
  version: "0.1.0",
  protocol: 1,
  interval_ms: 250,
  achieved_ms: 258,
  samplers: ["cpu_power", "gpu_power"],
  samples: 1_204,
  simulated: false,
  path: "/Applications/Joulebar.app/Contents/MacOS/joulebar-helper",
  can_authorize: false,
};
let now: SettingsView;
const calls = {
  setSettings: vi.fn(async (settings: UserSettings) => (now = { ...now, settings })),
  setToken: vi.fn(async (token: string | null) => (token === null ? ("none" as const) : ("in_memory" as const))),
  testConnection: vi.fn(async () => ({
    ok: false,
    message: "No answer.",
    next: "Start its server.",
    version: null,
    api: null,
    models: null,
    latency_ms: null,
  })),
  checkServer: vi.fn(async () => undefined),
  restartPower: vi.fn(async () => undefined),
  helperView: vi.fn(async () => helper),
  wantHelper: vi.fn(async (wish: HelperWish) => void wish),
  authorizePower: vi.fn(async () => undefined),
};

async function form(change: Partial<SettingsView> = {}): Promise<SettingsForm> {
  now = { ...view, ...change };
  const fake: Pick<Backend, "getSettings" | keyof typeof calls> = { getSettings: async () => now, ...calls };
  await connect(fake as Backend);
  const made = new SettingsForm(fake);
  await made.load();
  return made;
}

beforeEach(() => vi.clearAllMocks());

async function leave(field: HTMLElement, text: string): Promise<void> {
  await fireEvent.input(field, { target: { value: text } });
  await fireEvent.blur(field);
}

describe("General", () => {
  it("saves every choice at once", async () => {
    render(General, { form: await form() });
    await fireEvent.click(screen.getByRole("radio", { name: "Watts and bar" }));
    expect(calls.setSettings).toHaveBeenLastCalledWith({ ...defaults, menu_bar: "watts_and_bar" });
    await fireEvent.click(screen.getByRole("radio", { name: /5/ }));
    await vi.waitFor(() => expect(now.settings.smoothing_s).toBe(5));
    for (const name of ["Open at login", "Open the window at start", "Notify when a run ends", "Keep runs"]) {
      await fireEvent.click(screen.getByRole("switch", { name }));
    }
    await vi.waitFor(() =>
      expect(now.settings).toMatchObject({
        launch_at_login: true,
        open_window_at_start: true,
        notify_when_finished: false,
        keep_history: false,
      }),
    );
  });
  it("says under its row why a change was refused", async () => {
    const made = await form();
    calls.setSettings.mockRejectedValueOnce(new Error("Launch at login isn’t available here."));
    render(General, { form: made });
    await fireEvent.click(screen.getByRole("switch", { name: "Open at login" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("Launch at login isn’t available here.");
    expect(screen.getByRole("switch", { name: "Open at login" })).toHaveAttribute("aria-checked", "false");
  });
});

describe("Measurement", () => {
  it("saves a length when its field is left", async () => {
    render(Measurement, { form: await form() });
    await leave(screen.getByLabelText("Baseline in seconds"), "7,5");
    await vi.waitFor(() => expect(now.settings.baseline_s).toBe(7.5));
    await vi.waitFor(() => expect(screen.getByLabelText("Baseline in seconds")).toHaveValue("7.5"));
  });
  it("keeps a wrong length in the field, outlined, with one line, unsaved", async () => {
    render(Measurement, { form: await form() });
    const field = screen.getByLabelText("Cooldown in seconds");
    await leave(field, "4000");
    expect(field).toHaveAttribute("aria-invalid", "true");
    expect(screen.getByRole("alert")).toHaveTextContent("A number from 0 to 3,600");
    expect(calls.setSettings).not.toHaveBeenCalled();
    await fireEvent.keyDown(field, { key: "Escape" });
    expect(field).toHaveValue("10");
    expect(screen.queryByRole("alert")).toBeNull();
  });
  it("offers an interval that the file holds, even an unusual one", async () => {
    render(Measurement, { form: await form({ settings: { ...defaults, interval_ms: 333 } }) });
    const select = screen.getByLabelText("Interval during a run");
    expect(select).toHaveValue("333");
    await fireEvent.change(select, { target: { value: "100" } });
    await vi.waitFor(() => expect(now.settings.interval_ms).toBe(100));
  });
});

describe("LM Studio", () => {
  const server: ServerState = {
    state: "no_model",
    url: "http://localhost:1234",
    models: [
      {
        key: "qwen3-8b",
        display_name: "Qwen3 8B",
        quantization: "4-bit",
        format: "MLX",
        bits_per_weight: 4,
        size_bytes: 4.6e9,
        context_length: 4096,
        loaded: false,
      },
    ],
  };
  it("refuses an address that can't be one and takes one that can", async () => {
    render(LmStudio, { form: await form(), server });
    const field = screen.getByLabelText("Address of the server");
    await leave(field, "https://x");
    expect(field).toHaveAttribute("aria-invalid", "true");
    expect(calls.setSettings).not.toHaveBeenCalled();
    await leave(field, "mac.lan:1234");
    await vi.waitFor(() => expect(now.settings.server_url).toBe("mac.lan:1234"));
    await leave(field, "");
    await vi.waitFor(() => expect(now.settings.server_url).toBeNull());
  });
  it("shows the result of the test with the next step", async () => {
    render(LmStudio, { form: await form(), server });
    await fireEvent.click(screen.getByRole("button", { name: "Test Connection" }));
    expect(await screen.findByText("Not connected")).toBeInTheDocument();
    expect(screen.getByText("Start its server.")).toBeInTheDocument();
  });
  it("keeps a token without ever showing it and says where it is", async () => {
    const made = await form();
    render(LmStudio, { form: made, server });
    expect(screen.getByText(/None is kept/)).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Add…" }));
    await fireEvent.input(screen.getByLabelText("API token"), { target: { value: "secret" } });
    await fireEvent.click(screen.getByRole("button", { name: "Save" }));
    expect(calls.setToken).toHaveBeenCalledWith("secret");
    expect(await screen.findByText(/in memory until Joulebar quits/)).toBeInTheDocument();
    expect(document.body.innerHTML).not.toContain("secret");
    await fireEvent.click(screen.getByRole("button", { name: "Remove" }));
    expect(calls.setToken).toHaveBeenLastCalledWith(null);
  });
  it("lists the models that were found", async () => {
    render(LmStudio, { form: await form(), server });
    expect(screen.getByText("Qwen3 8B")).toBeInTheDocument();
    expect(screen.getByText("4-bit, MLX, not loaded")).toBeInTheDocument();
  });
});

describe("Helper", () => {
  it("gives the facts of what runs", async () => {
    await form();
    const reading = {
      end_ns: 1,
      soc_mw: 1,
      cpu_mw: 1,
      gpu_mw: 0,
      ane_mw: 0,
      dram_mw: null,
      system_mw: null,
      scope: "GPU + CPU + ANE",
    };
    render(Helper, { power: { state: "live", reading } });
    expect(await screen.findByText("Version 0.1.0, protocol 1.")).toBeInTheDocument();
    expect(screen.getByText(helper.path ?? "")).toBeInTheDocument();
    expect(screen.getByText(/258\sms measured, 250\sms asked/)).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Restart" }));
    expect(calls.restartPower).toHaveBeenCalledOnce();
  });
  it("says how the background helper stands, what is missing, and does what a button says", async () => {
    const service: ServiceView = {
      state: "needs_approval",
      title: "Waiting for your approval",
      detail: "Its switch is off.",
      next: "Switch it on.",
      version: null,
      error: "SMAppServiceErrorDomain 1",
      can_enable: false,
      can_open_settings: true,
      can_repair: false,
      can_remove: false,
    };
    const passed_over = [{ title: "powermetrics, through the background helper", why: "no helper is registered" }];
    const source = { way: "counters" as const, title: "energy counters", scope: "GPU and CPU", passed_over };
    calls.helperView.mockResolvedValue({ ...helper, service, source, can_authorize: true });
    await form();
    const missing = { rails: "CPU", reason: "macOS does not publish it.", age_s: 12 };
    const reading = {
      end_ns: 1,
      soc_mw: null,
      cpu_mw: null,
      gpu_mw: 5,
      ane_mw: null,
      dram_mw: null,
      system_mw: null,
      scope: "GPU",
      missing,
    };
    render(Helper, { power: { state: "live", reading } });
    expect(await screen.findByText("Waiting for your approval")).toBeInTheDocument();
    expect(screen.getByText(/CPU: — for 12\ss\. macOS does not publish it\./)).toBeInTheDocument();
    expect(screen.getByText("SMAppServiceErrorDomain 1")).toBeInTheDocument();
    expect(screen.getByText("GPU and CPU")).toBeInTheDocument();
    expect(screen.getByText(/no helper is registered/)).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Enable" })).toBeNull();
    await fireEvent.click(screen.getByRole("button", { name: "Open Settings" }));
    expect(calls.wantHelper).toHaveBeenCalledWith("open_settings");
    await fireEvent.click(screen.getByRole("button", { name: "Authorize Once" }));
    expect(calls.authorizePower).toHaveBeenCalledOnce();
    calls.helperView.mockResolvedValue(helper);
  });
  it("removes the helper only after it was asked", async () => {
    const service: ServiceView = {
      state: "ready",
      title: "Ready",
      detail: "Version 0.1.0 answers.",
      next: null,
      version: "0.1.0",
      error: null,
      can_enable: false,
      can_open_settings: false,
      can_repair: false,
      can_remove: true,
    };
    calls.helperView.mockResolvedValue({ ...helper, service });
    calls.wantHelper.mockClear();
    await form();
    render(Helper, { power: { state: "none", reason: "helper_missing", message: "Not found." } });
    await fireEvent.click(await screen.findByRole("button", { name: "Remove" }));
    const dialog = screen.getByRole("dialog", { name: "Remove the helper?" });
    expect(dialog).toHaveAccessibleDescription("Power readings stop until you install it again.");
    expect(calls.wantHelper).not.toHaveBeenCalled();
    await fireEvent.click(within(dialog).getByRole("button", { name: "Cancel" }));
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(calls.wantHelper).not.toHaveBeenCalled();
    await fireEvent.click(screen.getByRole("button", { name: "Remove" }));
    await fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Remove" }));
    expect(calls.wantHelper).toHaveBeenCalledExactlyOnceWith("remove");
    calls.helperView.mockResolvedValue(helper);
  });
  it.each([
    ["helper_missing", "Not found"],
    ["not_permitted", "Not allowed to read power"],
    ["protocol_mismatch", "Of another version than the app"],
    ["unavailable", "No power readings on this computer"],
    ["ended", "Ended"],
    ["paused", "Paused"],
  ] as const)("says what is so when there is no power: %s", async (reason, title) => {
    await form();
    render(Helper, { power: { state: "none", reason, message: "One sentence." } });
    expect(screen.getByText(title)).toBeInTheDocument();
    expect(screen.getByText("One sentence.")).toBeInTheDocument();
  });
});

describe("Cost", () => {
  const last: LastResult = {
    run_id: 3,
    started_at: "2026-11-24T14:51:00Z",
    model: "Qwen3 8B",
    net_energy_per_token_j: 0.72,
    tokens_per_s: 50,
    simulated: true,
  };
  it("is off until a rate is set, then gives an example from the last run", async () => {
    render(Cost, { form: await form(), last });
    expect(screen.getByText("Off")).toBeInTheDocument();
    expect(screen.queryByText("With these rates")).toBeNull();
    await leave(screen.getByLabelText("Electricity price per kilowatt-hour"), "0.30");
    expect(await screen.findByText("With these rates")).toBeInTheDocument();
    const row = screen.getByText("1 million output tokens, net").closest("tr");
    expect(within(row as HTMLElement).getByText(/0\.200\skWh/)).toBeInTheDocument();
    expect(within(row as HTMLElement).getByText(/EUR\s0\.060/)).toBeInTheDocument();
    expect(within(row as HTMLElement).getByText("—"), "no carbon intensity is set").toBeInTheDocument();
    expect(screen.getByText(/simulated/)).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Turn Off" }));
    await vi.waitFor(() => expect(screen.queryByText("With these rates")).toBeNull());
  });
  it("says why there is no example", async () => {
    const settings = { ...defaults, co2_g_per_kwh: 380 };
    const { rerender } = render(Cost, { form: await form({ settings }), last: null });
    expect(screen.getByText("After the first run, an example stands here.")).toBeInTheDocument();
    await rerender({ last: { ...last, net_energy_per_token_j: null } });
    expect(screen.getByText(/no energy per token/)).toBeInTheDocument();
  });
});

describe("Diagnostics", () => {
  const rows: CheckRow[] = [
    { id: "helper", title: "Helper", result: "pass", detail: "Found.", next: null },
    { id: "server", title: "LM Studio", result: "fail", detail: "No answer.", next: "Start its server." },
    { id: "clock", title: "Clock", result: "unknown", detail: "Not read.", next: null },
  ];
  it("says each result as a word and the next step", () => {
    render(Diagnostics, { rows, checkedAt: "2026-11-24T14:51:00Z", failed: null });
    expect(screen.getByText("1 of 3 checks pass")).toBeInTheDocument();
    expect(screen.getByText("Fail.")).toBeInTheDocument();
    expect(screen.getByText("Not known.")).toBeInTheDocument();
    expect(screen.getByText("Start its server.")).toBeInTheDocument();
  });
  it("says that it is checking, or why it can't", async () => {
    const { rerender } = render(Diagnostics, { rows: null, checkedAt: "", failed: null });
    expect(screen.getByText("Checking…")).toBeInTheDocument();
    await rerender({ failed: "Not now." });
    expect(screen.getByRole("alert")).toHaveTextContent("Not now.");
  });
});

describe("a settings file that is wrong", () => {
  it("is named with its values", () => {
    const wrong = [
      { key: "measurement.interval_ms", found: "5", allowed: "a whole number from 100 to 60000", used: "250" },
    ];
    render(WrongFile, { view: { ...view, wrong } });
    expect(screen.getByRole("alert")).toHaveTextContent(
      "measurement.interval_ms is 5; it can be a whole number from 100 to 60000. 250 is used.",
    );
    expect(screen.getByText(view.path)).toBeInTheDocument();
  });
  it("is told to be no TOML", () => {
    render(WrongFile, { view: { ...view, problem: "expected a value, line 3" } });
    expect(screen.getByRole("alert")).toHaveTextContent("changes can’t be saved");
  });
  it("gives no word when all is well", () => {
    render(WrongFile, { view });
    expect(screen.queryByRole("alert")).toBeNull();
  });
});
