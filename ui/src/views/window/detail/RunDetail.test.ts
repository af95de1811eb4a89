import { fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { describe, expect, it, vi } from "vitest";
import { BackendError, connect, type Backend } from "../../../lib/backend";
import type { RunDetail as Detail } from "../../../lib/backend/bindings";
import { makeReplay } from "../../../lib/backend/replay";
import { emptyColumns, encodeColumns } from "../../../lib/chart/columns";
import { live } from "../../../lib/live/live.svelte";
import { problem } from "../../../lib/problem.svelte";
import { router } from "../../../lib/router.svelte";
import RunDetail from "./RunDetail.svelte";

let backend: Backend;

/** Opens a run of the recordings, with what `change` makes of it. */
async function open(id: number, change: (detail: Detail) => Detail = (detail) => detail, state = "live"): Promise<void> {
  backend = makeReplay(new URLSearchParams({ state }));
  const real = backend.runDetail.bind(backend);
  backend.runDetail = async (asked) => change(structuredClone(await real(asked)));
  await connect(backend);
  await backend.watch((message) => live.take(message));
  router.go(`run/${id}`);
  render(RunDetail, { id });
}

const prompts = (): HTMLElement => screen.getByRole("region", { name: "Prompts" });
const figures = (): HTMLElement => screen.getByRole("region", { name: "Figures" });

describe("a whole run", () => {
  it("shows six figures, each with its scope or what it is of", async () => {
    await open(15);
    await waitFor(() => expect(figures()).toHaveTextContent(/0\.467.*J\/token.*n = 1, GPU \+ CPU \+ ANE/s));
    expect(figures().querySelectorAll("dl > div")).toHaveLength(6);
    expect(screen.getByText("Simulated")).toBeVisible();
  });
  it("lists its prompts and their sum, not split where prefill was short", async () => {
    await open(15);
    await waitFor(() => expect(within(prompts()).getAllByRole("row")).toHaveLength(11));
    expect(within(prompts()).getAllByText("not split")).toHaveLength(9);
    expect(prompts()).toHaveTextContent("All nine, one pass");
  });
  it("has bars for prefill and decode where the energy is split", async () => {
    await open(15, (detail) => {
      for (const prompt of detail.report.prompts) prompt.energy.split = { ...prompt.energy.split, prefill_net_j: 3, decode_net_j: 20, null_reason: null };
      return detail;
    });
    await waitFor(() => expect(prompts()).toHaveTextContent(/prefill 3\.00.J, decode 20\.0.J/));
    expect(within(prompts()).queryByText("not split")).toBeNull();
    expect(screen.getByRole("region", { name: "Energy and notes" })).toHaveTextContent("Prefill, net");
  });
  it("has a timeline that is walked by keys and shown as a table", async () => {
    await open(15);
    const timeline = await screen.findByRole("application", { name: /Power timeline/ });
    expect(screen.getByRole("img", { name: /Power over 3 minutes .*9 prompts, highest/ })).toBeVisible();
    await fireEvent.keyDown(timeline, { key: "]" });
    expect(await screen.findByText("S1, What is 2+2?")).toBeVisible();
    await fireEvent.keyDown(timeline, { key: "]" });
    expect(await screen.findByText(/^S2, /)).toBeVisible();
    await fireEvent.keyDown(timeline, { key: "0" });
    expect(screen.getByRole("radio", { name: "Whole run" })).toBeChecked();
    await fireEvent.click(screen.getByRole("button", { name: "Show as Table" }));
    expect(within(screen.getByRole("region", { name: "Power by phase" })).getAllByRole("row")).toHaveLength(37);
  });
  it("shows a prompt in the timeline when its line is pressed", async () => {
    await open(15);
    await fireEvent.click(await screen.findByRole("button", { name: /^M2/ }));
    await waitFor(() => expect(screen.getByRole("radio", { name: "Prompt" })).toBeChecked());
  });
});

describe("a run that lacks something", () => {
  it("that was interrupted says how far it came, with dashes and their reason", async () => {
    await open(13);
    expect(await screen.findByText("Stopped after 4 of 9 prompts. Samples are kept, no figure is given.")).toBeVisible();
    expect(figures()).toHaveTextContent(/—.*4 of 9 prompts have a whole answer/s);
    expect(figures()).not.toHaveTextContent("0.000");
    expect(within(prompts()).getAllByRole("row")).toHaveLength(6);
  });
  it("offers to resume it when that is possible", async () => {
    await open(13, undefined, "unfinished");
    const resume = vi.spyOn(backend, "resumeRun");
    await fireEvent.click(await screen.findByRole("button", { name: "Resume" }));
    expect(resume).toHaveBeenCalledWith(13);
  });
  it("keeps the line of a failed prompt with the reason", async () => {
    await open(15, (detail) => {
      const prompt = detail.report.prompts[1];
      if (prompt) prompt.error = "the server closed the connection";
      return detail;
    });
    await waitFor(() => expect(prompts()).toHaveTextContent(/Failed the server closed the connection/));
  });
  it("has a dash and the reason for a prompt without net energy", async () => {
    await open(15, (detail) => {
      const energy = detail.report.prompts[0]?.energy;
      if (energy) Object.assign(energy, { net_j: null, net_energy_per_token_j: null, null_reason: "too few idle samples" });
      return detail;
    });
    await waitFor(() => expect(prompts()).toHaveTextContent(/—not available, too few idle samples/));
  });
  it("without any prompt says so", async () => {
    await open(15, (detail) => ({
      ...detail,
      ttft_median_ms: null,
      row: { ...detail.row, state: "interrupted", end_reason: "no_samples", prompts_done: 0, net_energy_per_token_j: null },
      report: { ...detail.report, prompts: [] },
    }));
    await waitFor(() => expect(prompts()).toHaveTextContent("— no prompt was finished"));
    expect(screen.getByText(/No power sample came\. Stopped after 0 of 9 prompts/)).toBeVisible();
  });
  it("without samples has no power readings and no scale", async () => {
    await open(15);
    backend.runSamples = async () => encodeColumns(emptyColumns(0));
    expect(await screen.findByText("No power readings")).toBeVisible();
  });
  it("whose samples can't be read keeps its figures and tries again", async () => {
    await open(15);
    const real = backend.runSamples.bind(backend);
    backend.runSamples = async () => {
      backend.runSamples = real;
      throw new BackendError("failed", "The samples are damaged.");
    };
    expect(await screen.findByText("The samples are damaged.")).toBeVisible();
    expect(figures()).toHaveTextContent("0.467");
    await fireEvent.click(screen.getByRole("button", { name: "Try Again" }));
    expect(await screen.findByRole("application", { name: /Power timeline/ })).toBeVisible();
  });
  it("that is not there says so", async () => {
    await open(99);
    expect(await screen.findByText("There is no run 99.")).toBeVisible();
  });
  it("that still runs can't be deleted", async () => {
    await open(15, (detail) => ({ ...detail, row: { ...detail.row, state: "running", end_reason: null, prompts_done: 3 } }));
    expect(await screen.findByText("Running, 3 of 9 prompts done.")).toBeVisible();
    await fireEvent.click(screen.getByRole("button", { name: "More" }));
    expect(screen.getByRole("menuitem", { name: "Delete…" })).toBeDisabled();
  });
});

describe("what can be done with a run", () => {
  it("exports JSON and CSV and copies Markdown", async () => {
    await open(15);
    const exported = vi.spyOn(backend, "exportRun");
    const copied = vi.spyOn(backend, "copyMarkdown");
    for (const name of ["JSON…", "CSV…", "Copy as Markdown"]) {
      await fireEvent.click(await screen.findByRole("button", { name: "Export" }));
      await fireEvent.click(screen.getByRole("menuitem", { name }));
    }
    expect(exported.mock.calls).toEqual([[15, "json"], [15, "csv"]]);
    expect(copied).toHaveBeenCalledWith(15);
  });
  it("shows why an export failed", async () => {
    await open(15);
    vi.spyOn(backend, "exportRun").mockRejectedValue(new BackendError("disk_full", "Couldn’t save the file. The disk is full."));
    await fireEvent.click(await screen.findByRole("button", { name: "Export" }));
    await fireEvent.click(screen.getByRole("menuitem", { name: "JSON…" }));
    await waitFor(() => expect(problem.text).toBe("Couldn’t save the file. The disk is full."));
  });
  it("is renamed in its title", async () => {
    await open(15);
    await fireEvent.click(await screen.findByRole("button", { name: "More" }));
    await fireEvent.click(screen.getByRole("menuitem", { name: "Rename…" }));
    const field = screen.getByRole("textbox", { name: "Name of the run" });
    await fireEvent.input(field, { target: { value: "evening" } });
    await fireEvent.keyDown(field, { key: "Enter" });
    expect(await screen.findByRole("heading", { name: /evening/ })).toBeVisible();
  });
  it("is deleted after asking, and the list is shown", async () => {
    await open(15);
    await fireEvent.click(await screen.findByRole("button", { name: "More" }));
    await fireEvent.click(screen.getByRole("menuitem", { name: "Delete…" }));
    const dialog = await screen.findByRole("dialog");
    expect(dialog).toHaveTextContent(/Delete this run\?\s*Its samples are deleted too\./);
    await fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(router.route).toBe("runs"));
  });
});
