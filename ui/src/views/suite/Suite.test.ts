import { fireEvent, render, screen, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { connect, type Backend } from "../../lib/backend";
import type { SettingsView, Suite as SuiteForm, SuiteEntry, UserSettings } from "../../lib/backend/bindings";
import { live } from "../../lib/live/live.svelte";
import { router } from "../../lib/router.svelte";
import { snapshot, view } from "../settings/testing";
import Suite from "./Suite.svelte";
import { suiteEditor } from "./shared.svelte";

const LENGTHS = [64, 160, 400];
const builtin: SuiteForm = {
  name: "standard",
  description: "3 x 3 prompts.",
  prompts: (["short", "medium", "long"] as const).flatMap((category, row) =>
    LENGTHS.map((max_tokens, index) => ({
      id: `${category}-${index}`,
      category,
      title: `${category} ${index}`,
      prompt: "word ".repeat(10 ** row),
      max_tokens,
    })),
  ),
};

let entries: SuiteEntry[];
let settings: SettingsView;
const tokens = (suite: SuiteForm) => suite.prompts.map((prompt) => Math.ceil(prompt.prompt.length / 4));
const calls = {
  getSettings: async () => settings,
  setSettings: vi.fn(async (changed: UserSettings) => (settings = { ...settings, settings: changed })),
  listSuites: async () => entries,
  saveSuite: vi.fn(async (previous: string | null, suite: SuiteForm): Promise<SuiteEntry> => {
    const saved = { suite, builtin: false, tokens: tokens(suite) };
    entries = [...entries.filter((entry) => entry.suite.name !== previous), saved];
    return saved;
  }),
  deleteSuite: vi.fn(async (name: string) => void (entries = entries.filter((entry) => entry.suite.name !== name))),
  importSuite: vi.fn(async () => null),
  exportSuite: vi.fn(async () => true),
  estimateTokens: vi.fn(async (text: string) => Math.ceil(text.length / 4)),
};

beforeEach(async () => {
  vi.clearAllMocks();
  localStorage.clear();
  entries = [
    { suite: builtin, builtin: true, tokens: tokens(builtin) },
    {
      suite: { ...builtin, name: "Mine", prompts: builtin.prompts.slice(0, 4) },
      builtin: false,
      tokens: tokens(builtin).slice(0, 4),
    },
  ];
  settings = view;
  live.snapshot = {
    ...snapshot,
    last: {
      run_id: 1,
      started_at: "2026-11-24T14:51:00Z",
      model: "m",
      net_energy_per_token_j: 0.5,
      tokens_per_s: 52,
      simulated: true,
    },
  };
  await connect({ ...calls } as Partial<Backend> as Backend);
  router.go("suite");
});

async function show(): Promise<void> {
  render(Suite);
  await screen.findByRole("listbox", { name: "Prompts" });
}

async function choose(name: string): Promise<void> {
  await fireEvent.change(screen.getByLabelText("Suite"), { target: { value: name } });
}

async function menu(item: string): Promise<void> {
  await fireEvent.click(screen.getByRole("button", { name: "More" }));
  await fireEvent.click(screen.getByRole("menuitem", { name: item }));
}

describe("suite editor", () => {
  it("shows the built-in suite by class, to be read only", async () => {
    await show();
    expect(screen.getByText(/Built in, used for runs/)).toBeInTheDocument();
    for (const group of ["Short", "Medium", "Long"])
      expect(within(screen.getByRole("group", { name: group })).getAllByRole("option")).toHaveLength(3);
    expect(screen.getByLabelText("Title")).toHaveAttribute("readonly");
    expect(screen.queryByRole("button", { name: "Save" })).toBeNull();
    expect(screen.getByText("Lengths well spread")).toBeInTheDocument();
    expect(screen.getByText(/Correlation 0\.00/)).toBeInTheDocument();
    expect(screen.getAllByText(/answers up to 12\.0\ss a pass/)).toHaveLength(3);
  });
  it("moves through the prompts with the arrows", async () => {
    await show();
    const options = within(screen.getByRole("listbox", { name: "Prompts" })).getAllByRole("option");
    await fireEvent.keyDown(options[0] as HTMLElement, { key: "ArrowDown" });
    expect(options[1]).toHaveAttribute("aria-selected", "true");
    expect(screen.getByLabelText("Title")).toHaveValue("short 1");
  });
  it("edits, says what is wrong under the field, and saves once nothing is", async () => {
    await show();
    await choose("Mine");
    await fireEvent.input(screen.getByLabelText("Max output tokens"), { target: { value: "0" } });
    expect(screen.getByText("A whole number, 1 or more.")).toBeInTheDocument();
    expect(screen.getByLabelText("Max output tokens")).toHaveAttribute("aria-invalid", "true");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    await fireEvent.input(screen.getByLabelText("Max output tokens"), { target: { value: "96" } });
    await fireEvent.input(screen.getByLabelText("Title"), { target: { value: "Renamed" } });
    await fireEvent.click(screen.getByRole("button", { name: "Save" }));
    await vi.waitFor(() => expect(calls.saveSuite).toHaveBeenCalledOnce());
    expect(calls.saveSuite.mock.calls[0]?.[1].prompts[0]).toMatchObject({ title: "Renamed", max_tokens: 96 });
    await vi.waitFor(() => expect(screen.queryByText("Unsaved changes")).toBeNull());
  });
  it("asks the core for the estimate of a new text", async () => {
    await show();
    await choose("Mine");
    await fireEvent.input(screen.getByLabelText("Prompt"), { target: { value: "Twelve chars" } });
    expect(await screen.findByText("about 3 tokens")).toBeInTheDocument();
  });
  it("asks before changes are lost and keeps them on Cancel", async () => {
    await show();
    await choose("Mine");
    await fireEvent.input(screen.getByLabelText("Title"), { target: { value: "Changed" } });
    router.go("runs");
    expect(await screen.findByText("Save the changes to Mine?")).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
    expect(router.route).toBe("suite");
    expect(screen.getByLabelText("Title")).toHaveValue("Changed");
    router.go("runs");
    await fireEvent.click(await screen.findByRole("button", { name: "Don’t Save" }));
    expect(router.route).toBe("runs");
    expect(suiteEditor().dirty).toBe(false);
  });
  it("saves on leaving when told to", async () => {
    await show();
    await choose("Mine");
    await fireEvent.input(screen.getByLabelText("Title"), { target: { value: "Changed" } });
    await choose("standard");
    const dialog = screen.getByRole("dialog");
    await fireEvent.click(within(dialog).getByRole("button", { name: "Save" }));
    await vi.waitFor(() => expect(screen.getByText(/Built in/)).toBeInTheDocument());
    expect(calls.saveSuite).toHaveBeenCalledOnce();
  });
  it("duplicates the built-in suite under a name that can be changed at once", async () => {
    await show();
    await fireEvent.click(screen.getByRole("button", { name: "Duplicate" }));
    const name = screen.getByLabelText("Name of the suite");
    expect(name).toHaveValue("standard copy");
    await fireEvent.input(name, { target: { value: "Mine" } });
    expect(screen.getByText("Another suite is named Mine.")).toBeInTheDocument();
    await fireEvent.input(name, { target: { value: "Other" } });
    await fireEvent.click(screen.getByRole("button", { name: "Save" }));
    await vi.waitFor(() => expect(entries.map((entry) => entry.suite.name)).toContain("Other"));
  });
  it("chooses the suite for runs and keeps it under a new name", async () => {
    await show();
    await choose("Mine");
    await fireEvent.click(screen.getByRole("button", { name: "Use for Runs" }));
    await vi.waitFor(() => expect(settings.settings.suite).toBe("Mine"));
    await menu("Rename…");
    await fireEvent.input(screen.getByLabelText("Name of the suite"), { target: { value: "Ours" } });
    await fireEvent.click(screen.getByRole("button", { name: "Save" }));
    await vi.waitFor(() => expect(settings.settings.suite).toBe("Ours"));
  });
  it("has words for a suite without prompts and starts one", async () => {
    await show();
    await menu("New Suite");
    expect(screen.getByText("A suite needs at least one prompt in each class.")).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Add Prompt" }));
    expect(screen.getByText("The prompt is empty.")).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Revert" }));
    expect(screen.getByText(/Built in/)).toBeInTheDocument();
  });
  it("deletes after asking, and runs use the built-in suite again", async () => {
    settings = { ...view, settings: { ...view.settings, suite: "Mine" } };
    await show();
    await menu("Delete Suite…");
    await fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Delete" }));
    await vi.waitFor(() => expect(settings.settings.suite).toBeNull());
    expect(calls.deleteSuite).toHaveBeenCalledWith("Mine");
  });
  it("says what went wrong", async () => {
    calls.importSuite.mockRejectedValueOnce(new Error("the suite has no prompts"));
    await show();
    await menu("Import TOML…");
    expect(await screen.findByRole("alert")).toHaveTextContent("the suite has no prompts");
  });
});
